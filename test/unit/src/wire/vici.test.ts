import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeViciPacket,
  encodeViciPacket,
  VICI_PACKET_BYTES_MAX,
  ViciPacketReader,
} from "../../../../src/wire/vici.ts";
import { decodeViciMessage, encodeViciMessage, type ViciFields } from "../../../../src/wire/vici-message.ts";
import { type PlainSection, plainSection } from "../../../support/vici-plain.ts";

const name = fc.string({ unit: "grapheme", maxLength: 12 });
const value = fc.uint8Array({ maxLength: 300 });
const { message } = fc.letrec<{ message: PlainSection }>((tie) => ({
  message: fc.dictionary(name, fc.oneof({ maxDepth: 4 }, value, fc.array(value, { maxLength: 4 }), tie("message")), {
    maxKeys: 5,
  }),
}));

/** The example of charon's own README ("Message encoding"), byte by byte. */
const README = Uint8Array.from([
  ...[3, 4, ...Buffer.from("key1"), 0, 6, ...Buffer.from("value1")],
  ...[1, 8, ...Buffer.from("section1")],
  ...[1, 11, ...Buffer.from("sub-section")],
  ...[3, 4, ...Buffer.from("key2"), 0, 6, ...Buffer.from("value2")],
  2,
  ...[4, 5, ...Buffer.from("list1")],
  ...[5, 0, 5, ...Buffer.from("item1"), 5, 0, 5, ...Buffer.from("item2")],
  6,
  2,
]);

describe("messages", () => {
  test("the protocol's own example is written and read as it stands there", () => {
    const fields = { key1: "value1", section1: { "sub-section": { key2: "value2" }, list1: ["item1", "item2"] } };
    expect(encodeViciMessage(fields)).toEqual(README);
    const decoded = decodeViciMessage(README);
    if (!decoded.ok) throw new Error(decoded.error.why);
    expect(decoded.value.text("key1")).toBe("value1");
    const section = decoded.value.section("section1");
    expect(section?.section("sub-section")?.text("key2")).toBe("value2");
    expect(section?.list("list1")).toEqual(["item1", "item2"]);
    expect(decoded.value.sections().map(([title]) => title)).toEqual(["section1"]);
  });

  test("what is written is what is read, whatever it is", () => {
    fc.assert(
      fc.property(message, (fields) => {
        const decoded = decodeViciMessage(encodeViciMessage(fields));
        expect(decoded.ok && plainSection(decoded.value)).toEqual(fields);
      }),
    );
  });

  test("every shorter beginning of a message is refused, or is one that ends where an element of the top does", () => {
    const ends = [14];
    for (let length = 1; length < README.length; length++) {
      expect([length, decodeViciMessage(README.slice(0, length)).ok]).toEqual([length, ends.includes(length)]);
    }
  });

  test("numbers, flags and what is left out are text as charon reads it", () => {
    const fields: ViciFields = { timeout: -1, force: true, init: false, name: undefined, port: 4500 };
    const decoded = decodeViciMessage(encodeViciMessage(fields));
    if (!decoded.ok) throw new Error(decoded.error.why);
    const read = decoded.value;
    expect(["timeout", "force", "init", "name", "port"].map((key) => read.text(key))).toEqual([
      ...["-1", "yes", "no", undefined, "4500"],
    ]);
    expect([read.flag("force"), read.flag("init"), read.flag("name")]).toEqual([true, false, false]);
    expect([read.number("port"), read.number("timeout"), read.number("force")]).toEqual([4500, undefined, undefined]);
  });

  test("a number that a double does not hold is none", () => {
    const read = decodeViciMessage(encodeViciMessage({ a: "9007199254740991", b: "9007199254740993" }));
    expect(read.ok && [read.value.number("a"), read.value.number("b")]).toEqual([Number.MAX_SAFE_INTEGER, undefined]);
  });

  test("sections beyond the depth, elements beyond the count and elements out of place are refused", () => {
    const nested = (depth: number) => {
      let fields: ViciFields = {};
      for (let i = 0; i < depth; i++) fields = { x: fields };
      return decodeViciMessage(encodeViciMessage(fields)).ok;
    };
    expect([nested(16), nested(17)]).toEqual([true, false]);
    const listed = (count: number) => decodeViciMessage(encodeViciMessage({ x: Array(count).fill("") })).ok;
    expect([listed(65_534), listed(65_535)]).toEqual([true, false]);
    for (const bytes of [[2], [6], [5, 0, 0], [4, 0, 4, 0], [4, 0, 1, 0, 2, 6], [1, 0, 6, 2], [7], [0]]) {
      expect([bytes, decodeViciMessage(Uint8Array.from(bytes)).ok]).toEqual([bytes, false]);
    }
  });

  test("a name or value that its length cannot say is not written", () => {
    expect(() => encodeViciMessage({ ["x".repeat(256)]: "" })).toThrow("255");
    expect(() => encodeViciMessage({ x: "y".repeat(65_536) })).toThrow("65536");
    expect(decodeViciMessage(encodeViciMessage({ ["x".repeat(255)]: "y".repeat(65_535) })).ok).toBe(true);
  });
});

describe("packets", () => {
  const outgoing = [
    { type: "command-request", name: "list-sas", fields: { ike: "paris.e1" } },
    { type: "command-response", fields: {} },
    { type: "command-unknown" },
    { type: "event-register", name: "list-sa" },
    { type: "event-unregister", name: "list-sa" },
    { type: "event-confirm" },
    { type: "event-unknown" },
    { type: "event", name: "list-sa", fields: { ike: "paris.e1" } },
  ] as const;

  test("each type has its number, its name and its message", () => {
    const bytes = outgoing.map((packet) => encodeViciPacket(packet));
    expect(bytes.map((packet) => packet[4])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(bytes.map((packet) => new DataView(packet.buffer).getUint32(0) + 4)).toEqual(bytes.map((p) => p.length));
    const decoded = bytes.map((packet) => decodeViciPacket(packet.subarray(4)));
    expect(decoded.map((packet) => packet.ok && packet.value.type)).toEqual(outgoing.map(({ type }) => type));
    const first = decoded[0];
    expect(first?.ok && first.value.type === "command-request" && first.value.message.text("ike")).toBe("paris.e1");
  });

  test("a stream is the same packets in whatever pieces it comes", () => {
    const stream = Buffer.concat(outgoing.map((packet) => encodeViciPacket(packet)));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: stream.length })), (cuts) => {
        const reader = new ViciPacketReader();
        const types: string[] = [];
        const places = [0, ...cuts.sort((a, b) => a - b), stream.length];
        for (const [i, place] of places.entries()) {
          const pushed = reader.push(stream.subarray(place, places[i + 1] ?? stream.length));
          if (!pushed.ok) throw new Error(pushed.error.why);
          types.push(...pushed.value.map(({ type }) => type));
        }
        expect(types).toEqual(outgoing.map(({ type }) => type));
      }),
    );
  });

  test("a length of nothing, or of more than charon sends, is refused before a byte of it is kept", () => {
    const length = (bytes: number) =>
      new Uint8Array([bytes >>> 24, (bytes >>> 16) & 255, (bytes >>> 8) & 255, bytes & 255]);
    expect(new ViciPacketReader().push(length(0)).ok).toBe(false);
    expect(new ViciPacketReader().push(length(VICI_PACKET_BYTES_MAX)).ok).toBe(true);
    expect(new ViciPacketReader().push(length(VICI_PACKET_BYTES_MAX + 1)).ok).toBe(false);
    expect(new ViciPacketReader().push(length(0xffffffff)).ok).toBe(false);
  });

  test("a packet that charon would refuse is not written", () => {
    const fields = { a: Array(8).fill("x".repeat(65_535)) };
    expect(() => encodeViciPacket({ type: "command-request", name: "load-conn", fields })).toThrow("524288");
  });

  test("unknown types, names that are cut and bytes behind the end are refused", () => {
    for (const bytes of [[], [8], [0], [0, 5, 97], [3, 1, 97, 0], [2, 0], [5, 5], [1, 2], [7, 1, 97, 3]]) {
      expect([bytes, decodeViciPacket(Uint8Array.from(bytes)).ok]).toEqual([bytes, false]);
    }
  });
});
