import { type Family, ipFamily } from "../base/ip.ts";
import {
  decodeAddress,
  encodeAddressAdd,
  encodeAddressDelete,
  encodeAddressDump,
  type LinkAddress,
} from "../wire/rtnetlink-address.ts";
import type { EncodeRequest, NetlinkSocket } from "./netlink-socket.ts";

/**
 * None where the kernel is built without the family: it answers then with the addresses of all that it has (rtnl_dump_all).
 * @param route a NETLINK_ROUTE socket, here and below
 */
export function listAddresses(route: NetlinkSocket, family: Family): readonly LinkAddress[] {
  const encode: EncodeRequest = (writer, sequence) => encodeAddressDump(writer, sequence, family);
  const addresses = route.request(`list IPv${family} addresses`, encode, decodeAddress);
  return addresses.filter(({ address }) => ipFamily(address) === family);
}

/** Usable at once: duplicate address detection is off. @throws SelvedgeError EEXIST when the link has it */
export function addAddress(route: NetlinkSocket, address: LinkAddress): void {
  const what = `add address ${address.address}/${address.prefixLength} to link ${address.linkIndex}`;
  route.request(what, (writer, sequence) => encodeAddressAdd(writer, sequence, address));
}

/** @throws SelvedgeError EADDRNOTAVAIL when the link does not have it */
export function deleteAddress(route: NetlinkSocket, address: LinkAddress): void {
  const what = `delete address ${address.address}/${address.prefixLength} from link ${address.linkIndex}`;
  route.request(what, (writer, sequence) => encodeAddressDelete(writer, sequence, address));
}
