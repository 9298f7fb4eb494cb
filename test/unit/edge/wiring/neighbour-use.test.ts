import { expect, test } from "bun:test";
import { NeighbourUse } from "../../../../edge/wiring/neighbour-use.ts";
import { Health } from "../../../../src/base/health.ts";

test("a table of neighbours is full while it overflows from one look to the next, not for what was before", () => {
  const health = new Health(
    () => 0,
    () => {},
  );
  const use = new NeighbourUse(health);
  const seen = (overflows: number) => {
    use.judge(overflows);
    return health.list().map(({ code, message }) => `${code} ${/\d+ times/.exec(message)}`);
  };
  expect(seen(5)).toEqual([]);
  expect(seen(5)).toEqual([]);
  expect(seen(8)).toEqual(["NEIGHBOURS_FULL 3 times"]);
  expect(seen(9)).toEqual(["NEIGHBOURS_FULL 1 times"]);
  expect(seen(9)).toEqual([]);
});
