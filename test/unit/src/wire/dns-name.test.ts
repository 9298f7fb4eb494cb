import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type DnsName,
  decodeName,
  formatName,
  isWithin,
  lowerName,
  nameFromLabels,
  nameLabels,
  parentName,
  parseName,
  ROOT_NAME,
} from "../../../../src/wire/dns-name.ts";
import { anyName } from "../../../support/dns-arbitraries.ts";

function bytesOf(name: string): Uint8Array {
  return Uint8Array.from(name, (char) => char.charCodeAt(0));
}

function parsed(text: string): DnsName {
  const name = parseName(text);
  if (!name.ok) throw new Error(name.error.why);
  return name.value;
}

describe("a name", () => {
  test("of any bytes survives being written for people and read again", () => {
    fc.assert(fc.property(anyName, (name) => expect(parsed(formatName(name))).toBe(name)));
  });

  test("of any bytes survives the wire", () => {
    fc.assert(
      fc.property(anyName, (name) =>
        expect(decodeName(bytesOf(name), 0)).toEqual({ ok: true, value: { name, next: name.length } }),
      ),
    );
  });

  test("is made of its labels", () => {
    fc.assert(fc.property(anyName, (name) => expect(nameFromLabels(nameLabels(name))).toBe(name)));
  });

  test("may end in a dot or not", () => {
    expect(parsed("www.example.com.")).toBe(parsed("www.example.com"));
  });

  test("is escaped where a character would be mistaken", () => {
    expect(formatName("\x03a.b\x02\\ \0" as DnsName)).toBe("a\\.b.\\\\\\032");
  });

  test.each([
    ["", "a name is not empty"],
    ["a..b", "a label has 1 to 63 bytes"],
    [".a", "a label has 1 to 63 bytes"],
    ["a".repeat(64), "a label has 1 to 63 bytes"],
    [`${"a".repeat(62)}.`.repeat(4) + "a".repeat(4), "a name has at most 255 bytes"],
    ["a\\256", "an escape \\DDD is at most \\255"],
    ["a\\", "an escape has one character or three digits"],
    ["ü.example", "a name has ASCII characters or \\DDD escapes only"],
  ])("is not made of %p", (text, why) => {
    expect(parseName(text)).toMatchObject({ ok: false, error: { why } });
  });

  test("of 255 bytes is the longest", () => {
    expect(parsed(`${"a".repeat(62)}.`.repeat(4).concat("a")).length).toBe(255);
  });

  test("folds A to Z and nothing else", () => {
    expect(lowerName("\x03A\xc0Z\0" as DnsName)).toBe("\x03a\xc0z\0" as DnsName);
  });

  test("is within its parents, by whole labels", () => {
    const zone = parsed("cluster.local");
    expect(isWithin(parsed("a.cluster.local"), zone)).toBe(true);
    expect(isWithin(zone, zone)).toBe(true);
    expect(isWithin(parsed("xcluster.local"), zone)).toBe(false);
    // The zone's bytes at the end of a longer label.
    expect(isWithin(nameFromLabels(["a\x07cluster"], parsed("local")), zone)).toBe(false);
    expect(parentName(parsed("a.cluster.local"))).toBe(zone);
    expect(parentName(ROOT_NAME)).toBe(ROOT_NAME);
  });
});

describe("a compressed name", () => {
  test("goes on where its pointer leads, and ends behind the pointer", () => {
    const bytes = Uint8Array.of(3, 0x63, 0x6f, 0x6d, 0, 1, 0x61, 0xc0, 0, 0xff);
    expect(decodeName(bytes, 5)).toEqual({ ok: true, value: { name: parsed("a.com"), next: 9 } });
  });

  test.each([
    ["points to itself", [0xc0, 0], 0],
    ["points forward", [0xc0, 2, 0], 0],
    ["points back into what it continues", [1, 0x61, 0xc0, 0], 0],
    ["goes round by two pointers", [0, 0xc0, 3, 0xc0, 1], 3],
    ["ends in half a pointer", [1, 0x61, 0xc0], 0],
    ["ends in a label", [5, 0x61], 0],
    ["has no end", [1, 0x61], 0],
    ["starts behind the end", [], 4],
    ["has a label of a reserved type", [0x40, 0], 0],
    ["has a label of the other reserved type", [0x80, 0], 0],
  ])("is refused when it %s", (_, bytes, start) => {
    expect(decodeName(Uint8Array.from(bytes), start).ok).toBe(false);
  });

  test("is refused when its parts make more than 255 bytes", () => {
    const part = bytesOf(`${"\x3f".padEnd(64, "a")}`.repeat(3));
    const bytes = Uint8Array.of(...part, 0, 63, ...part.subarray(1, 64), 0xc0, 0);
    expect(decodeName(bytes, part.length + 1)).toMatchObject({ ok: false });
  });

  test("goes on over 127 pointers, and is refused with one more: 64 KiB could hold thousands for each record", () => {
    const chain = Uint8Array.from([0, ...Array.from({ length: 128 }, (_, i) => [0xc0, Math.max(0, 2 * i - 1)]).flat()]);
    expect([decodeName(chain, 1 + 2 * 126).ok, decodeName(chain, 1 + 2 * 127).ok]).toEqual([true, false]);
  });

  test("never throws and never reads outside, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(700), (bytes, start) => {
        const name = decodeName(bytes, start);
        if (name.ok) expect([name.value.name.length <= 255, name.value.next <= bytes.length]).toEqual([true, true]);
      }),
    );
  });
});
