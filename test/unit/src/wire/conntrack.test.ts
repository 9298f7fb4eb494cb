import { expect, test } from "bun:test";
import fc from "fast-check";
import { ipFromBytes } from "../../../../src/base/ip.ts";
import { decodeConntrack, encodeConntrackDelete } from "../../../../src/wire/conntrack.ts";
import { decodeMessages } from "../../../../src/wire/netlink.ts";
import { NetlinkWriter } from "../../../../src/wire/netlink-writer.ts";

const UDP = 17;
const port = fc.nat(65_535);

function tupleOf(bytes: number) {
  const ip = fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(ipFromBytes);
  return fc.record({ source: ip, destination: ip, sourcePort: port, destinationPort: port });
}

const entry = fc.constantFrom(4 as const, 6 as const).chain((family) => {
  const tuple = tupleOf(family === 4 ? 4 : 16);
  return fc.record({
    family: fc.constant(family),
    protocol: fc.constant(UDP),
    original: tuple,
    reply: tuple,
    answered: fc.boolean(),
    id: fc.integer({ min: 0, max: 0xffffffff }),
    zone: port,
  });
});

test("a deletion names the entry by its original direction, its id and its zone", () => {
  fc.assert(
    fc.property(entry, (e) => {
      const writer = new NetlinkWriter();
      encodeConntrackDelete(writer, 1, e);
      const messages = decodeMessages(writer.bytes());
      const [message] = messages.ok ? messages.value : [];
      if (message === undefined) throw new Error("no message");
      // The kernel's own entry has the other direction too: the request's original tuple, as CTA_TUPLE_REPLY.
      const original = message.payload.slice(4, 4 + (message.payload[4] ?? 0));
      original[2] = 2;
      // CTA_STATUS with IPS_CONFIRMED, and IPS_SEEN_REPLY where it is answered.
      const status = [8, 0, 3, 0, 0, 0, 0, e.answered ? 0x0a : 0x08];
      const payload = Uint8Array.from([...message.payload, ...original, ...status]);
      const decoded = decodeConntrack({ ...message, payload }, UDP);
      expect(decoded).toEqual({ ok: true, value: { ...e, reply: e.original } });
      expect(decodeConntrack({ ...message, payload }, 6)).toEqual({ ok: true, value: undefined });
    }),
  );
});

test("any payload is decoded or refused, and never throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      decodeConntrack({ type: 0x100, flags: 0, sequence: 1, port: 0, payload: bytes }, UDP);
    }),
    { numRuns: 1000 },
  );
});

test("an entry whose addresses are not of its family is refused: it could not be deleted", () => {
  fc.assert(
    fc.property(entry, (e) => {
      const writer = new NetlinkWriter();
      encodeConntrackDelete(writer, 1, e);
      const messages = decodeMessages(writer.bytes());
      const [message] = messages.ok ? messages.value : [];
      if (message === undefined) throw new Error("no message");
      const payload = message.payload.slice();
      payload[0] = e.family === 4 ? 10 : 2;
      expect(decodeConntrack({ ...message, payload }, UDP).ok).toBeFalse();
    }),
  );
});
