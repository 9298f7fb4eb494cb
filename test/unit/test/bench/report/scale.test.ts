import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { linearScale, logarithmicScale, sizeScale, valueScale } from "../../../../bench/report/scale.ts";

const ACROSS = { start: 100, end: 200 };
const positive = fc.double({ min: 1e-9, max: 1e9, noNaN: true });

describe("an axis", () => {
  test("starts and ends at round values", () => {
    expect(linearScale(0, 33, ACROSS).ticks).toEqual([0, 10, 20, 30, 40]);
    expect(linearScale(0, 0.000_033, ACROSS).ticks).toEqual([0, 0.000_01, 0.000_02, 0.000_03, 0.000_04]);
    expect(logarithmicScale(3, 90, ACROSS).ticks).toEqual([2, 5, 10, 20, 50, 100]);
    expect(logarithmicScale(0.004, 1300, ACROSS).ticks).toEqual([0.01, 0.1, 1, 10, 100, 1000]);
  });

  test("is logarithmic only where values lie far apart, all above zero", () => {
    expect(valueScale([1, 9], ACROSS).ticks[0]).toBe(0);
    expect(valueScale([0, 1000], ACROSS).ticks[0]).toBe(0);
    expect(valueScale([1, 1000], ACROSS).ticks).toEqual([1, 10, 100, 1000]);
  });

  test("has every value between its ends, and greater ones further on (property)", () => {
    fc.assert(
      fc.property(fc.array(positive, { minLength: 1 }), (values) => {
        const scale = valueScale(values, ACROSS);
        const places = values.toSorted((a, b) => a - b).map(scale.at);
        expect(Math.min(...places)).toBeGreaterThanOrEqual(99.999);
        expect(Math.max(...places)).toBeLessThanOrEqual(200.001);
        expect(places).toEqual(places.toSorted((a, b) => a - b));
        expect(scale.ticks.length).toBeGreaterThan(0);
        expect(scale.ticks.length).toBeLessThan(25);
      }),
    );
  });

  test("of sizes labels these, at equal distances for equal ratios", () => {
    const scale = sizeScale([100, 10, 1000, 10], ACROSS);
    expect(scale.ticks).toEqual([10, 100, 1000]);
    expect(scale.ticks.map(scale.at)).toEqual([100, 150, 200]);
  });
});
