import { fullGC, heapSize } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { YoungGarbage } from "../../../../src/kube/young-garbage.ts";

const MEGABYTE = 1024 * 1024;
/** The bound itself, and what comes between two looks at it. */
const GROWTH_MAX = 16 * MEGABYTE;

/** Objects that are each held until so many others have come: none of them is young when it is let go. */
function greatestGrowth(objects: number): number {
  fullGC();
  const held: unknown[] = new Array(20_000);
  const before = heapSize();
  const garbage = new YoungGarbage();
  let most = 0;
  for (let i = 0; i < objects; i++) {
    held[i % held.length] = { name: `object-${i}`, parts: [i, { of: `text-${i}` }, {}, {}, {}] };
    garbage.add();
    if (i % 1000 === 0) most = Math.max(most, heapSize() - before);
  }
  return most;
}

describe("garbage of objects that are parsed one after the other", () => {
  test("does not pile up, though each outlives the collection of what is young", () => {
    expect(greatestGrowth(400_000)).toBeLessThan(GROWTH_MAX);
  });
});
