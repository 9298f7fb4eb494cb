import { describe, expect, test } from "bun:test";
import { growthOf } from "../../../bench/growth.ts";

const every = (seconds: number, values: readonly number[]) =>
  values.map((value, i) => ({ seconds: i * seconds, value }));

describe("growth", () => {
  test("of a straight line is its slope, without an error", () => {
    const { perHour, errorPerHour } = growthOf(every(60, [5, 6, 7, 8, 9]));
    expect(perHour).toBeCloseTo(60, 9);
    expect(errorPerHour).toBeCloseTo(0, 6);
  });

  test("of what only swings is nothing, within its error", () => {
    const { perHour, errorPerHour } = growthOf(every(10, [1, -1, 1, -1, 1, -1, 1, -1, 1]));
    expect(Math.abs(perHour)).toBeLessThan(errorPerHour);
  });

  test("has the error of the residuals where points lie beside the line", () => {
    // By hand: slope 8/10; residuals' squares sum to 3.6; sqrt(3.6 / 3 / 10).
    const { perHour, errorPerHour } = growthOf(every(3600, [1, 3, 2, 5, 4]));
    expect(perHour).toBeCloseTo(0.8, 6);
    expect(errorPerHour).toBeCloseTo(0.3464, 4);
  });

  test("is unknown of two points", () => expect(growthOf(every(1, [1, 2])).perHour).toBeNaN());
});
