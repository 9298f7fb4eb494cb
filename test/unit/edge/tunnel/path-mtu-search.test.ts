import { describe, expect, test } from "bun:test";
import { PathMtuSearch } from "../../../../edge/tunnel/path-mtu-search.ts";

/** @param passes which packets of that size come back, by the round */
function search(linkMtu: number, passes: (size: number, round: number) => boolean) {
  const found = new PathMtuSearch(linkMtu);
  let rounds = 0;
  for (let sizes = found.nextRound(); sizes.length > 0; sizes = found.nextRound()) {
    rounds += 1;
    for (const size of sizes) if (passes(size, rounds)) found.answered(size);
  }
  return { result: found.result(), rounds };
}

describe("the search for a path's MTU", () => {
  test("is over after one round where the link's own size passes", () => {
    expect(search(1500, () => true)).toEqual({ result: 1500, rounds: 1 });
    expect(search(9000, () => true)).toEqual({ result: 9000, rounds: 1 });
  });

  test("finds the largest usual size below a hole", () => {
    expect(search(1500, (size) => size <= 1492).result).toBe(1400);
    expect(search(1500, (size) => size <= 1300).result).toBe(1280);
    expect(search(9000, (size) => size <= 8000).result).toBe(1500);
  });

  test("tries nothing that is larger than the link, and the link's own size once", () => {
    expect(new PathMtuSearch(1420).nextRound()).toEqual([1420, 1400, 1280]);
    expect(new PathMtuSearch(1400).nextRound()).toEqual([1400, 1280]);
  });

  test("takes a size that came back only in the last round", () => {
    expect(search(1500, (size, round) => size <= 1400 || round === 6).result).toBe(1500);
  });

  test("says nothing where nothing came back", () => {
    expect(search(1500, () => false)).toEqual({ result: undefined, rounds: 6 });
  });
});
