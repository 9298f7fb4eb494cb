import { describe, expect, test } from "bun:test";
import { median, quantile, summarize } from "../../../../bench/report/statistics.ts";

const HUNDRED = Array.from({ length: 100 }, (_, i) => 100 - i);

describe("statistics", () => {
  test("a quantile lies between its neighbours in proportion", () => {
    expect(quantile([30, 10, 20, 40], 0.25)).toBe(17.5);
    expect(quantile([30, 10, 20, 40], 0)).toBe(10);
    expect(quantile([30, 10, 20, 40], 1)).toBe(40);
    expect(median([1, 2, 10])).toBe(2);
  });

  test("of nothing there is no quantile", () => {
    expect(quantile([], 0.5)).toBeNaN();
  });

  test("a p99 is told of a hundred values, and not of fewer", () => {
    expect(summarize(HUNDRED)).toEqual({ count: 100, median: 50.5, p99: 99.01, least: 1, greatest: 100 });
    expect(summarize(HUNDRED.slice(1))).not.toHaveProperty("p99");
  });
});
