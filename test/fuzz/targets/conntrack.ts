import { ipFamily } from "../../../src/base/ip.ts";
import { type ConntrackEntry, decodeConntrack, encodeConntrackDelete } from "../../../src/wire/conntrack.ts";
import { messageOf, PAYLOAD_BYTES, written } from "../netlink-payload.ts";
import { hold, refused } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const PROTOCOLS = [6, 17];

export const target: FuzzTarget = {
  mostBytes: PAYLOAD_BYTES,
  form: "little-endian",
  run: (input) => {
    for (const protocol of PROTOCOLS) {
      const decoded = decodeConntrack(messageOf(input), protocol);
      if (!decoded.ok) return refused(decoded.error, input);
      if (decoded.value === undefined) continue;
      check(decoded.value, protocol);
      return `a connection of protocol ${protocol}`;
    }
    return "passed over";
  },
};

function check(entry: ConntrackEntry, protocol: number): void {
  hold(entry.protocol === protocol, `a connection of protocol ${entry.protocol}`);
  for (const tuple of [entry.original, entry.reply]) {
    const { source, destination, sourcePort, destinationPort } = tuple;
    hold(ipFamily(source) === entry.family && ipFamily(destination) === entry.family, "an address of another family");
    hold(sourcePort <= 0xffff && destinationPort <= 0xffff, "a port beyond 65535");
  }
  // Without a tuple the kernel would delete all connections: what we write has the entry's own, or nothing works.
  const payload = written((writer) => encodeConntrackDelete(writer, 1, entry));
  const only = decodeConntrack(messageOf(payload), protocol);
  hold(only.ok && only.value === undefined && payload.length > 40, "a deletion without its tuple");
}
