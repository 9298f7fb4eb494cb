import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseAttributes, parseError, parseMessages } from "netlink/dist/structs";
import { AttributeReader } from "../../../../src/wire/attribute-reader.ts";
import { decodeAck, decodeMessages, type NetlinkMessage } from "../../../../src/wire/netlink.ts";
import { NetlinkWriter } from "../../../../src/wire/netlink-writer.ts";

/** An attribute of any width, as a person would describe it. */
type Attribute =
  | { readonly kind: "u8" | "u16be" | "u32" | "u32be"; readonly type: number; readonly value: number }
  | { readonly kind: "u64be"; readonly type: number; readonly value: bigint }
  | { readonly kind: "text"; readonly type: number; readonly value: string }
  | { readonly kind: "bytes"; readonly type: number; readonly value: Uint8Array }
  | { readonly kind: "nested"; readonly type: number; readonly value: readonly Attribute[] };

const type = fc.integer({ min: 1, max: 0x3fff });
const WIDTHS = { u8: 0xff, u16be: 0xffff, u32: 0xffffffff, u32be: 0xffffffff } as const;
const attributes = fc.letrec<{ one: Attribute; many: Attribute[] }>((tie) => ({
  one: fc.oneof(
    { depthSize: "small" },
    ...(["u8", "u16be", "u32", "u32be"] as const).map((kind) =>
      fc.record({ kind: fc.constant(kind), type, value: fc.integer({ min: 0, max: WIDTHS[kind] }) }),
    ),
    fc.record({ kind: fc.constant("u64be" as const), type, value: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }) }),
    fc.record({
      kind: fc.constant("text" as const),
      type,
      value: fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !text.includes("\0")),
    }),
    fc.record({ kind: fc.constant("bytes" as const), type, value: fc.uint8Array({ maxLength: 40 }) }),
    fc.record({ kind: fc.constant("nested" as const), type, value: tie("many") }),
  ),
  many: fc.array(tie("one"), { maxLength: 6 }),
})).many;

function write(writer: NetlinkWriter, list: readonly Attribute[]): void {
  for (const a of list) {
    if (a.kind === "u8") writer.attrU8(a.type, a.value);
    else if (a.kind === "u16be") writer.attrU16be(a.type, a.value);
    else if (a.kind === "u32") writer.attrU32(a.type, a.value);
    else if (a.kind === "u32be") writer.attrU32be(a.type, a.value);
    else if (a.kind === "u64be") writer.attrU64be(a.type, a.value);
    else if (a.kind === "text") writer.attrText(a.type, a.value);
    else if (a.kind === "bytes") writer.attrBytes(a.type, a.value);
    else if (a.kind === "nested") {
      const start = writer.beginNested(a.type);
      write(writer, a.value);
      writer.endNested(start);
    }
  }
}

/** What the bytes of one attribute are, by the definition in linux/netlink.h and not by our code. */
function expected(a: Attribute): { type: number; nested: boolean; data: Buffer | undefined } {
  const data = (): Buffer | undefined => {
    if (a.kind === "text") return Buffer.from(`${a.value}\0`);
    if (a.kind === "bytes") return Buffer.from(a.value);
    if (a.kind === "nested") return undefined;
    const out = Buffer.alloc(8);
    if (a.kind === "u64be") return out.subarray(0, out.writeBigUInt64BE(a.value));
    if (a.kind === "u8") return out.subarray(0, out.writeUInt8(a.value));
    if (a.kind === "u16be") return out.subarray(0, out.writeUInt16BE(a.value));
    if (a.kind === "u32") return out.subarray(0, out.writeUInt32LE(a.value));
    return out.subarray(0, out.writeUInt32BE(a.value));
  };
  return { type: a.type, nested: a.kind === "nested", data: data() };
}

function compareWithOracle(bytes: Buffer, list: readonly Attribute[]): void {
  const seen: { type: number; nested: boolean; data: Buffer }[] = [];
  parseAttributes(bytes, (a) => seen.push({ type: a.type, nested: a.nested ?? false, data: a.data }));
  expect(seen.length).toBe(list.length);
  for (const [i, a] of list.entries()) {
    const want = expected(a);
    const got = seen[i];
    expect(got?.type).toBe(want.type);
    expect(got?.nested).toBe(want.nested);
    if (a.kind === "nested") compareWithOracle(got?.data ?? Buffer.alloc(0), a.value);
    else expect(got?.data.toString("hex")).toBe(want.data?.toString("hex"));
  }
}

function readBack(reader: AttributeReader, list: readonly Attribute[]): void {
  for (const a of list) {
    expect(reader.next()).toBe(true);
    expect(reader.type).toBe(a.type);
    if (a.kind === "nested") readBack(reader.nested(), a.value);
    else if (a.kind === "bytes") expect(Buffer.from(reader.bytes()).equals(Buffer.from(a.value))).toBe(true);
    else expect<unknown>(reader[a.kind]()).toBe(a.value);
  }
  expect(reader.next()).toBe(false);
}

function payload(...bytes: number[]): NetlinkMessage {
  return { type: 2, flags: 0, sequence: 7, port: 0, payload: Uint8Array.from(bytes) };
}

describe("writing and reading attributes", () => {
  test("another codec and our reader see what was written", () => {
    fc.assert(
      fc.property(attributes, (list) => {
        // A buffer with old content and too little room: padding and growth both show.
        const writer = new NetlinkWriter(8);
        writer.attrBytes(1, new Uint8Array(64).fill(0xff));
        writer.reset();
        write(writer, list);
        expect(writer.length % 4).toBe(0);
        compareWithOracle(Buffer.from(writer.bytes()), list);
        const reader = new AttributeReader(writer.bytes());
        readBack(reader, list);
        expect(reader.fault).toBeUndefined();
      }),
    );
  });

  test("padding is zero whatever the buffer held before", () => {
    const writer = new NetlinkWriter();
    writer.attrBytes(1, new Uint8Array(64).fill(0xff));
    writer.reset();
    writer.attrText(2, "ab");
    writer.attrBytes(3, Uint8Array.of(1));
    writer.attrU8(4, 1);
    expect([...writer.bytes()]).toEqual([
      ...[7, 0, 2, 0, 97, 98, 0, 0],
      ...[5, 0, 3, 0, 1, 0, 0, 0],
      ...[5, 0, 4, 0, 1, 0, 0, 0],
    ]);
  });

  test("what is nested beyond 64 KiB is refused", () => {
    const writer = new NetlinkWriter();
    const start = writer.beginNested(1);
    writer.attrBytes(2, new Uint8Array(65_528));
    expect(() => writer.endNested(start)).toThrow(RangeError);
  });

  test("any bytes end the walk within length / 4 steps, without reading outside", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(210), (bytes, start) => {
        const walk = (reader: AttributeReader, depth: number): number => {
          let steps = 0;
          while (reader.next()) {
            steps += 1;
            expect(reader.size).toBeLessThanOrEqual(bytes.length);
            for (const read of ["u8", "u16be", "u32", "u32be", "u64be", "text"] as const) reader[read]();
            if (depth > 0) walk(reader.nested(), depth - 1);
          }
          return steps;
        };
        expect(walk(new AttributeReader(bytes, start), 3)).toBeLessThanOrEqual(bytes.length / 4);
      }),
    );
  });

  test("a length that does not fit is a fault, also of the reader around", () => {
    const outer = new AttributeReader(Uint8Array.of(8, 0, 1, 0x80, 9, 0, 2, 0));
    expect(outer.next()).toBe(true);
    const inner = outer.nested();
    expect(inner.next()).toBe(false);
    expect(outer.fault).toEqual({ at: 4, why: "an attribute of 9 bytes does not fit the 4 that are left" });
  });

  test.each([0, 1, 2, 3])("a length of %i, less than its own header, ends the walk", (length) => {
    const reader = new AttributeReader(Uint8Array.of(length, 0, 1, 0, 8, 0, 2, 0, 1, 2, 3, 4));
    expect(reader.next()).toBe(false);
    expect(reader.fault?.at).toBe(0);
  });

  test("a value of another width than is read is a fault and reads as nothing", () => {
    const reader = new AttributeReader(Uint8Array.of(6, 0, 5, 0, 1, 2, 0, 0));
    reader.next();
    expect(reader.u32()).toBe(0);
    expect(reader.fault?.why).toBe("attribute 5 has 2 bytes where 4 are read");
  });
});

describe("messages", () => {
  const message = fc.record({
    type: fc.integer({ min: 0, max: 0xffff }),
    flags: fc.integer({ min: 0, max: 0xffff }),
    sequence: fc.integer({ min: 0, max: 0xffffffff }),
    value: fc.uint8Array({ maxLength: 30 }),
  });

  test("another codec and our own see the messages that were written", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), (list) => {
        const writer = new NetlinkWriter(4);
        for (const m of list) {
          writer.beginMessage(m.type, m.flags, m.sequence);
          writer.attrBytes(1, m.value);
          writer.endMessage();
        }
        const want = list.map((m) => ({ type: m.type, flags: m.flags, sequence: m.sequence, port: 0 }));
        const oracle = parseMessages(Buffer.from(writer.bytes()));
        expect(oracle.map((m) => ({ type: m.type, flags: m.flags, sequence: m.seq, port: m.port }))).toEqual(want);
        const decoded = decodeMessages(writer.bytes());
        if (!decoded.ok) throw new Error(decoded.error.why);
        expect(decoded.value.map(({ payload: _, ...header }) => header)).toEqual(want);
        for (const [i, m] of decoded.value.entries()) {
          const reader = new AttributeReader(m.payload);
          expect(reader.next() && Buffer.from(reader.bytes()).equals(Buffer.from(list[i]?.value ?? []))).toBe(true);
        }
      }),
    );
  });

  test("any bytes are messages or a refusal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const decoded = decodeMessages(bytes);
        if (decoded.ok) for (const m of decoded.value) decodeAck(m);
      }),
    );
  });

  test("a cut datagram is refused with the place", () => {
    expect(decodeMessages(new Uint8Array(15))).toEqual({
      ok: false,
      error: { at: 0, why: "a message header has 16 bytes, 15 are left" },
    });
    const tooLong = new Uint8Array(16);
    tooLong[0] = 17;
    expect(decodeMessages(tooLong)).toMatchObject({ ok: false, error: { at: 0 } });
    const tooShort = new Uint8Array(16);
    tooShort[0] = 15;
    expect(decodeMessages(tooShort).ok).toBe(false);
  });
});

describe("acknowledgements", () => {
  const header = [16, 0, 0, 0, 20, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0];

  test("zero is done", () => {
    expect(decodeAck(payload(0, 0, 0, 0, ...header))).toEqual({
      ok: true,
      value: { sequence: 7, errno: 0, text: undefined, offset: undefined },
    });
  });

  test("an error comes with the kernel's sentence and place, behind the header or the whole request", () => {
    const words = [10, 0, 1, 0, 111, 104, 32, 110, 111, 0, 0, 0, 8, 0, 2, 0, 24, 0, 0, 0];
    const want = { ok: true, value: { sequence: 7, errno: 17, text: "oh no", offset: 24 } } as const;
    const capped = payload(0xef, 0xff, 0xff, 0xff, ...header, ...words);
    expect(decodeAck({ ...capped, flags: 0x300 })).toEqual(want);
    const request = [24, ...header.slice(1), 8, 0, 1, 0, 9, 9, 9, 9];
    const whole = payload(0xef, 0xff, 0xff, 0xff, ...request, ...words);
    expect(decodeAck({ ...whole, flags: 0x200 })).toEqual(want);
    const oracle = parseError(Buffer.from(whole.payload), 0x200);
    expect(Math.abs(oracle.errno)).toBe(17);
  });

  test("the end of a dump carries its error", () => {
    expect(decodeAck({ ...payload(0xfe, 0xff, 0xff, 0xff), type: 3 })).toMatchObject({ value: { errno: 2 } });
    expect(decodeAck({ ...payload(), type: 3 })).toMatchObject({ value: { errno: 0 } });
  });

  test("a short one, or one whose echoed request is longer than itself, is no crash", () => {
    expect(decodeAck(payload(0, 0, 0, 0)).ok).toBe(false);
    const huge = payload(0xef, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, ...header.slice(4));
    expect(decodeAck({ ...huge, flags: 0x200 })).toMatchObject({ ok: true, value: { text: undefined } });
  });
});
