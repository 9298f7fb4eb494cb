import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  contextTag,
  DER,
  DER_ELEMENTS_MAX,
  decodeDer,
  encodeBitString,
  encodeDer,
  encodeObjectIdentifier,
} from "../../../../src/wire/der.ts";

const tag = fc.constantFrom(...Object.values(DER), contextTag(0, true), contextTag(7, false));
const bytes = (hex: string) => Uint8Array.fromHex(hex);

describe("DER", () => {
  test("is written as X.690 and RFC 5280 show it", () => {
    expect(encodeDer(DER.boolean, bytes("ff")).toHex()).toBe("0101ff");
    expect(encodeDer(DER.null).toHex()).toBe("0500");
    expect(encodeDer(DER.sequence, encodeDer(DER.integer, bytes("02")), encodeDer(DER.null)).toHex()).toBe(
      "30050201020500",
    );
    expect(encodeBitString(bytes("06"), 1).toHex()).toBe("03020106");
    expect(contextTag(3, true)).toBe(0xa3);
    // Section 8.19.5, and what every certificate has: sha256WithRSAEncryption.
    expect(encodeObjectIdentifier("2.999.3").toHex()).toBe("0603883703");
    expect(encodeObjectIdentifier("1.2.840.113549.1.1.11").toHex()).toBe("06092a864886f70d01010b");
  });

  test.each([
    [0x7f, "047f"],
    [0x80, "048180"],
    [0x100, "04820100"],
    [0x10000, "0483010000"],
  ])("of %d bytes says so in as few bytes as there are", (length, head) => {
    const element = encodeDer(DER.octetString, new Uint8Array(length));
    expect(element.subarray(0, head.length / 2).toHex()).toBe(head);
    expect(decodeDer(element)).toMatchObject({ ok: true, value: [{ tag: DER.octetString }] });
  });

  test("comes back as it was written, element by element", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(tag, fc.uint8Array({ maxLength: 300 })), { maxLength: 8 }), (elements) => {
        const wholes = elements.map(([one, content]) => encodeDer(one, content));
        const read = decodeDer(Uint8Array.from(wholes.flatMap((whole) => [...whole])));
        expect(read.ok && read.value.map((each) => [each.tag, each.content.toHex(), each.whole.toHex()])).toEqual(
          elements.map(([one, content], i) => [one, content.toHex(), wholes[i]?.toHex() ?? ""]),
        );
      }),
    );
  });

  test.each([
    ["30", "no length"],
    ["3080", "a length of 0 bytes"],
    ["308401000000", "a length of 4 bytes"],
    ["1f8101", "a tag of several bytes"],
    ["300500", "5 bytes of content, which are not there"],
    ["0500".repeat(DER_ELEMENTS_MAX + 1), `more than ${DER_ELEMENTS_MAX} elements`],
  ])("that is none is refused: %s", (hex, why) => {
    expect(decodeDer(bytes(hex))).toMatchObject({ ok: false, error: { why } });
  });
});
