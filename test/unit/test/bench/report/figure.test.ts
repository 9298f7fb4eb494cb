import { expect, test } from "bun:test";
import { formatFigure, formatTimes, type Unit } from "../../../../bench/report/figure.ts";

test("figures have three digits and the prefix that keeps them short", () => {
  const cases: readonly (readonly [number, Unit, string])[] = [
    [0.0213, "s", "21.3 ms"],
    [0.000_025_44, "s", "25.4 µs"],
    [0.9999, "s", "1,000 ms"],
    [1200, "s", "1,200 s"],
    [0, "s", "0 s"],
    [3_145_728, "B", "3.15 MB"],
    [2048, "B", "2.05 kB"],
    [187_654.3, "1/s", "187,654 /s"],
    [0, "1", "0"],
    [-1500, "B", "-1.5 kB"],
    [12.5, "%", "12.5 %"],
    [Number.NaN, "s", "–"],
  ];
  for (const [value, unit, text] of cases) expect(formatFigure(value, unit)).toBe(text);
});

test("ratios are told as times", () => {
  expect([0.788_4, 1, 152.6].map(formatTimes)).toEqual(["0.788 ×", "1 ×", "153 ×"]);
});
