import { ipFamily } from "../../../src/base/ip.ts";
import { decodeAddress, encodeAddressAdd, type LinkAddress } from "../../../src/wire/rtnetlink-address.ts";
import { payloadTarget } from "../netlink-payload.ts";
import { hold } from "../property.ts";

export const target = payloadTarget<LinkAddress>(
  decodeAddress,
  ({ address, prefixLength }) => {
    hold(prefixLength <= (ipFamily(address) === 4 ? 32 : 128), `a prefix of ${prefixLength} bits of ${address}`);
  },
  (writer, address) => encodeAddressAdd(writer, 1, address),
);
