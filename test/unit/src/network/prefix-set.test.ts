import { expect, test } from "bun:test";
import fc from "fast-check";
import { ipFromBytes, makePrefix, prefixContains } from "../../../../src/base/ip.ts";
import { PrefixSet } from "../../../../src/network/prefix-set.ts";
import { prefix } from "../../../support/network-objects.ts";

test("a prefix is inside a wider one and inside itself, and not inside a narrower one or one of another family", () => {
  const set = new PrefixSet(["10.1.0.0/16", "10.2.3.0/24", "fd00::/32"].map(prefix));
  for (const inside of ["10.1.0.0/16", "10.1.2.0/24", "10.2.3.4/32", "fd00:0:7::/64"]) {
    expect(set.covers(prefix(inside))).toBe(true);
  }
  for (const outside of ["10.0.0.0/8", "10.2.0.0/16", "10.2.4.0/24", "fd01::/32", "0.0.0.0/0", "::/0"]) {
    expect(set.covers(prefix(outside))).toBe(false);
  }
  expect(new PrefixSet([]).covers(prefix("10.0.0.0/8"))).toBe(false);
  expect(new PrefixSet([prefix("0.0.0.0/0")]).covers(prefix("10.0.0.0/8"))).toBe(true);
});

test("those around a prefix are told by their texts, the widest first, and the prefix itself with them", () => {
  const set = new PrefixSet(["10.1.2.0/24", "10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"].map(prefix));
  expect(set.around(prefix("10.1.2.0/24"))).toEqual(["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24"]);
});

test("it says what looking at each prefix says", () => {
  const any = fc
    .tuple(fc.constantFrom(4, 16), fc.integer({ min: 0, max: 3 }), fc.nat(24))
    .map(([bytes, second, length]) =>
      makePrefix(ipFromBytes(new Uint8Array(bytes).fill(10, 0, 1).fill(second, 1, 2)), length),
    );
  fc.assert(
    fc.property(fc.array(any, { maxLength: 12 }), any, (prefixes, one) => {
      const expected = prefixes.some((outer) => outer.length <= one.length && prefixContains(outer, one.address));
      expect(new PrefixSet(prefixes).covers(one)).toBe(expected);
    }),
  );
});
