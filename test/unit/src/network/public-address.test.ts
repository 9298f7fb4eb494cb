import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parsePublicAddress } from "../../../../src/network/public-address.ts";

describe("a public address", () => {
  test.each([
    ["203.0.113.7", "203.0.113.7"],
    ["2001:DB8::0:1", "2001:db8::1"],
    ["E1.Example.org", "e1.example.org"],
    ["gateway", "gateway"],
  ])("%s is %s", (text, value) => {
    expect(parsePublicAddress(text) as unknown).toEqual({ ok: true, value });
  });

  test.each([
    "",
    "256.1.1.1",
    "1.2.3",
    "203.0xa",
    "e1.example.org.",
    "-a.example",
    "a_b.example",
    "a..b",
    "e1:4500",
    "http://e1",
    "a b",
    "x".repeat(64),
    Array(64).fill("abcd").join("."),
  ])("%s is none", (text) => {
    expect(parsePublicAddress(text).ok).toBe(false);
  });

  test("is always one word", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const address = parsePublicAddress(text);
        if (address.ok) expect(address.value).toMatch(/^[0-9a-z.:-]+$/);
      }),
    );
  });
});
