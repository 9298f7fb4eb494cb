import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { planSubnet } from "../../../../cloud/operator/pool-allocator.ts";
import { PrefixClaims, rangeOf } from "../../../../cloud/operator/prefix-claims.ts";
import { formatPrefix, prefixContains } from "../../../../src/base/ip.ts";
import { prefix } from "../../../support/network-objects.ts";

function fill(cidr: string, blockLength: number, nodes: number, claims = new PrefixClaims()) {
  const given: string[] = [];
  for (let i = 0; i < nodes; i++) {
    const subnet = planSubnet({ cidr: prefix(cidr), blockLength }, `edge-${i}`, claims);
    if (subnet === undefined) break;
    claims.set({ name: `edge-${i}`, created: "" }, [subnet]);
    given.push(formatPrefix(subnet));
  }
  return given;
}

describe("a pool", () => {
  test("gives each part once, and all of them", () => {
    const given = fill("10.1.0.0/16", 24, 300);
    expect(given.length).toBe(256);
    expect(new Set(given).size).toBe(256);
    expect(given.every((subnet) => prefixContains(prefix("10.1.0.0/16"), prefix(subnet).address))).toBe(true);
  });

  test("gives the same node the same part again", () => {
    const again = () => fill("10.1.0.0/16", 24, 5);
    expect(again()).toEqual(again());
  });

  test("begins at another place for another node, so that a part is its node's again when it is free again", () => {
    const claims = new PrefixClaims();
    const pool = { cidr: prefix("10.1.0.0/16"), blockLength: 24 };
    const parts = Array.from({ length: 20 }, (_, i) => planSubnet(pool, `edge-${i}`, claims)?.address);
    expect(new Set(parts).size).toBeGreaterThan(15);
  });

  test("is as large as IPv6 makes it", () => {
    const given = fill("fd00:1::/64", 120, 50);
    expect(new Set(given).size).toBe(50);
    expect(given.every((subnet) => subnet.startsWith("fd00:1:") && subnet.endsWith("/120"))).toBe(true);
  });

  test("leaves out what others have in it, whether smaller or larger than a part", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("10.1.0.0/18", "10.1.7.64/26", "10.1.255.0/24", "10.1.128.0/17", "10.0.0.0/8"), {
          maxLength: 3,
        }),
        (taken) => {
          const claims = new PrefixClaims();
          for (const [i, one] of taken.entries()) claims.set({ name: `other-${i}`, created: "" }, [prefix(one)]);
          const free = Array.from({ length: 256 }, (_, i) => prefix(`10.1.${i}.0/24`)).filter((part) => {
            const { start, end } = rangeOf(part);
            return !taken.map((one) => rangeOf(prefix(one))).some((r) => r.start <= end && start <= r.end);
          });
          expect(fill("10.1.0.0/16", 24, 300, claims).toSorted()).toEqual(free.map(formatPrefix).toSorted());
        },
      ),
    );
  });
});
