import { describe, expect, test } from "bun:test";
import { rankAddresses } from "../../../../edge/tunnel/address-ranking.ts";

const pool = ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"];
const nodes = Array.from({ length: 4000 }, (_, i) => `paris.e${i}`);

/** How many nodes take each address first. */
function firsts(addresses: readonly string[]): readonly number[] {
  const ranked = nodes.map((node) => rankAddresses(node, addresses)[0]);
  return addresses.map((address) => ranked.filter((first) => first === address).length);
}

describe("a node's ranking of addresses", () => {
  test("has each address once, and does not depend on their order", () => {
    const ranked = rankAddresses("paris.e1", [...pool, pool[0] ?? ""]);
    expect([...ranked].sort()).toEqual([...pool]);
    expect(rankAddresses("paris.e1", [...pool].reverse())).toEqual(ranked);
  });

  test("spreads nodes evenly", () => {
    for (const count of firsts(pool)) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });

  test("moves only the nodes of an address that goes, and them evenly", () => {
    const gone = pool[1];
    const rest = pool.filter((address) => address !== gone);
    const moved = nodes.filter((node) => {
      const before = rankAddresses(node, pool)[0];
      const after = rankAddresses(node, rest)[0];
      if (before !== gone) expect(after).toBe(before);
      return before === gone;
    });
    const targets = moved.map((node) => rankAddresses(node, rest)[0]);
    for (const address of rest) {
      const share = targets.filter((target) => target === address).length / moved.length;
      expect(Math.abs(share - 1 / 3)).toBeLessThan(0.06);
    }
  });
});
