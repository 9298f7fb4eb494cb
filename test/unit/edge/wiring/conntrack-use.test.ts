import { expect, test } from "bun:test";
import { judgeConntrackUse } from "../../../../edge/wiring/conntrack-use.ts";
import { Health } from "../../../../src/base/health.ts";

test("a table of connections that is nearly full is a condition until there is room again", () => {
  const health = new Health(
    () => 0,
    () => {},
  );
  const codes = (count: number, limit: number) => {
    judgeConntrackUse({ count, limit }, health);
    return health.list().map(({ code, message }) => `${code} ${/\d+ of \d+/.exec(message)}`);
  };
  expect(codes(949, 1000)).toEqual([]);
  expect(codes(950, 1000)).toEqual(["CONNTRACK_FULL 950 of 1000"]);
  expect(codes(1000, 1000)).toEqual(["CONNTRACK_FULL 1000 of 1000"]);
  expect(codes(10, 1000)).toEqual([]);
});

test("a table without a limit is never full, nor is one that is not there", () => {
  const health = new Health(
    () => 0,
    () => {},
  );
  judgeConntrackUse({ count: 1_000_000, limit: 0 }, health);
  judgeConntrackUse(undefined, health);
  expect(health.list()).toEqual([]);
});
