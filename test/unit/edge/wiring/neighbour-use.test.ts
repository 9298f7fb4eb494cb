import { expect, test } from "bun:test";
import { NeighbourUse } from "../../../../edge/wiring/neighbour-use.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { seconds } from "../../../../src/base/duration.ts";
import { Health } from "../../../../src/base/health.ts";

test("a table of neighbours is full for a minute after each overflow, however often it is looked at, and told once", () => {
  const told: boolean[] = [];
  const health = new Health(
    () => 0,
    (_condition, raised) => told.push(raised),
  );
  let now = 0;
  const use = new NeighbourUse(health, { now: () => now as MonotonicTime });
  const seen = (atSeconds: number, overflows: number) => {
    now = seconds(atSeconds);
    use.judge(overflows);
    return health.list().map(({ code }) => code);
  };
  expect(seen(0, 5)).toEqual([]);
  expect(seen(1, 5)).toEqual([]);
  expect(seen(2, 8)).toEqual(["NEIGHBOURS_FULL"]);
  expect(seen(2.2, 8)).toEqual(["NEIGHBOURS_FULL"]);
  expect(seen(30, 9)).toEqual(["NEIGHBOURS_FULL"]);
  expect(seen(89, 9)).toEqual(["NEIGHBOURS_FULL"]);
  expect(seen(90, 9)).toEqual([]);
  expect(told).toEqual([true, false]);
});
