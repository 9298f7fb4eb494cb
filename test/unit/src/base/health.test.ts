import { expect, test } from "bun:test";
import { type Condition, Health } from "../../../../src/base/health.ts";

const NFT = { code: "NFT_MISSING", component: "service", severity: "failed", message: "m", hint: "h" } as const;

test("a condition keeps the time since when it holds while its text changes, and is told only when it changes", () => {
  let wall = 1;
  const told: [string, boolean][] = [];
  const health = new Health(
    () => wall,
    (c: Condition, raised) => told.push([c.message, raised]),
  );
  health.raise(NFT);
  wall = 2;
  health.raise(NFT);
  health.raise({ ...NFT, message: "worse" });
  expect(health.list()).toEqual([{ ...NFT, message: "worse", since: 1 }]);
  health.clear("service", "NFT_MISSING");
  health.clear("service", "NFT_MISSING");
  expect(health.list()).toEqual([]);
  expect(told).toEqual([
    ["m", true],
    ["worse", true],
    ["worse", false],
  ]);
});

test("conditions are listed worst first", () => {
  const health = new Health(
    () => 0,
    () => {},
  );
  health.raise({ ...NFT, code: "A", severity: "info" });
  health.raise({ ...NFT, code: "B", severity: "degraded" });
  health.raise({ ...NFT, code: "C", severity: "failed" });
  expect(health.list().map((c) => c.code)).toEqual(["C", "B", "A"]);
});
