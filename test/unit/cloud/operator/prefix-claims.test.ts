import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { PrefixClaims, rangeOf } from "../../../../cloud/operator/prefix-claims.ts";
import { formatPrefix, ipFamily, makePrefix, type Prefix, prefixContains } from "../../../../src/base/ip.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

/** Few addresses and lengths, so that overlaps of every kind are common. */
const somePrefix: fc.Arbitrary<Prefix> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom("10.0.0.0", "10.0.1.0", "10.0.1.128", "10.128.0.0", "0.0.0.0"),
      fc.constantFrom(0, 8, 9, 23, 24, 25, 32),
    )
    .map(([address, length]) => makePrefix(ip(address), length)),
  fc
    .tuple(fc.constantFrom("fd00::", "fd00:0:0:1::", "::", "ffff::"), fc.constantFrom(0, 8, 48, 63, 64, 128))
    .map(([address, length]) => makePrefix(ip(address), length)),
);

function overlaps(a: Prefix, b: Prefix): boolean {
  if (ipFamily(a.address) !== ipFamily(b.address)) return false;
  return a.length <= b.length ? prefixContains(a, b.address) : prefixContains(b, a.address);
}

describe("claims of prefixes", () => {
  test("whoever came first has what both claim, and the other is told whose it is", () => {
    const claims = new PrefixClaims();
    claims.set({ name: "old", created: "2026-01-01" }, [prefix("10.1.0.0/16")]);
    claims.set({ name: "new", created: "2026-01-02" }, [prefix("10.1.7.0/24"), prefix("10.2.0.0/24")]);
    expect(claims.conflictsOf("old")).toEqual([]);
    expect(claims.conflictsOf("new")).toEqual([
      { prefix: prefix("10.1.7.0/24"), other: "old", otherPrefix: prefix("10.1.0.0/16") },
    ]);
  });

  test("a claim that goes leaves the others without a conflict, and names them", () => {
    const claims = new PrefixClaims();
    claims.set({ name: "a", created: "1" }, [prefix("10.1.7.0/24")]);
    claims.set({ name: "b", created: "2" }, [prefix("10.1.7.0/24")]);
    expect([...claims.set({ name: "a", created: "1" }, [])]).toEqual(["b"]);
    expect(claims.conflictsOf("b")).toEqual([]);
  });

  test("conflicts are those that comparing everybody with everybody finds, after any history", () => {
    const step = fc.record({
      name: fc.constantFrom("a", "b", "c", "d"),
      created: fc.constantFrom("1", "2"),
      prefixes: fc.array(somePrefix, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const claims = new PrefixClaims();
        const now = new Map<string, (typeof steps)[number]>();
        for (const one of steps) {
          const before = new Map([...now.keys()].map((name) => [name, claims.conflictsOf(name)]));
          const touched = claims.set(one, one.prefixes);
          now.set(one.name, one);
          for (const [name, conflicts] of before) {
            if (name !== one.name && !touched.has(name)) expect(claims.conflictsOf(name)).toEqual(conflicts);
          }
        }
        for (const mine of now.values()) {
          const rank = (s: typeof mine) => `${s.created} ${s.name}`;
          const earlier = [...now.values()].filter((other) => rank(other) < rank(mine));
          const expected = mine.prefixes.filter((p) => earlier.some((o) => o.prefixes.some((q) => overlaps(p, q))));
          expect(claims.conflictsOf(mine.name).map((c) => formatPrefix(c.prefix))).toEqual(expected.map(formatPrefix));
        }
      }),
    );
  });

  test("what overlaps a range is found exactly when there is something", () => {
    fc.assert(
      fc.property(fc.array(somePrefix, { maxLength: 6 }), somePrefix, (claimed, asked) => {
        const claims = new PrefixClaims();
        for (const [i, one] of claimed.entries()) claims.set({ name: String(i), created: "" }, [one]);
        const found = claims.overlapping(rangeOf(asked)) !== undefined;
        expect(found).toBe(claimed.some((one) => overlaps(one, asked)));
      }),
    );
  });
});
