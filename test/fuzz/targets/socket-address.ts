import { isIP } from "node:net";
import { decodeSocketAddress, encodeSocketAddress } from "../../../src/linux/socket-address.ts";
import { hold, holdSame, refused, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: 32,
  form: "big-endian",
  run: (input) => {
    const decoded = decodeSocketAddress(input);
    if (!decoded.ok) return refused(decoded.error, input);
    const { address, port } = decoded.value;
    hold(isIP(address) !== 0 && port >= 0 && port <= 0xffff, `port ${port} of ${address}`);
    const again = decodeSocketAddress(encodeSocketAddress(decoded.value));
    holdSame(unwrap(again, "what we write"), decoded.value, "read, written and read again");
    return `IPv${isIP(address)}`;
  },
};
