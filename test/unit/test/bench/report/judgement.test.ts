import { describe, expect, test } from "bun:test";
import { judge } from "../../../../bench/report/judgement.ts";
import type { Goal } from "../../../../bench/report/series.ts";
import { summarize } from "../../../../bench/report/statistics.ts";

const LIMIT: Goal = { kind: "limit", value: 5, statistic: "median", size: 10 };
const GAIN: Goal = { kind: "gain", over: "peer", factor: 100, statistic: "median", size: 10 };
const FLAT: Goal = { kind: "flat", from: 10, to: 1000, factor: 1.05, statistic: "median" };

function figure(program: string, value: number, size = 10, unfinished = false) {
  return { program, size, unfinished, ...summarize([value]) };
}

describe("a goal", () => {
  test("of a limit is reached at the limit, from the side that is better", () => {
    expect(judge(LIMIT, "less", [figure("selvedge", 5)])).toMatchObject({ actual: 5, reached: true });
    expect(judge(LIMIT, "less", [figure("selvedge", 5.1)])).toMatchObject({ reached: false });
    expect(judge(LIMIT, "more", [figure("selvedge", 4.9)])).toMatchObject({ reached: false });
    expect(judge(LIMIT, "more", [figure("selvedge", 5)])).toMatchObject({ reached: true });
  });

  test("of a gain compares with the other program, whichever way is better", () => {
    expect(judge(GAIN, "less", [figure("selvedge", 1), figure("peer", 100)])).toMatchObject({
      program: "peer",
      actual: 100,
      reached: true,
    });
    expect(judge(GAIN, "less", [figure("selvedge", 1), figure("peer", 99)])).toMatchObject({ reached: false });
    expect(judge(GAIN, "more", [figure("selvedge", 100), figure("peer", 1)])).toMatchObject({ reached: true });
  });

  test("of flatness compares ours with ours", () => {
    const [small, large] = [figure("selvedge", 100), figure("selvedge", 105, 1000)];
    expect(judge(FLAT, "less", [small, large])).toMatchObject({ size: 1000, actual: 1.05, reached: true });
    expect(judge(FLAT, "less", [small, figure("selvedge", 106, 1000)])).toMatchObject({ reached: false });
  });

  test("is neither reached nor missed where something was not measured", () => {
    for (const goal of [LIMIT, GAIN, FLAT]) {
      expect(judge(goal, "less", [figure("selvedge", 1, 77), figure("peer", 1, 77)])).not.toHaveProperty("reached");
    }
    expect(judge({ ...LIMIT, statistic: "p99" }, "less", [figure("selvedge", 1)])).not.toHaveProperty("reached");
  });

  test("against a program that did not end is reached if that was enough already, and otherwise open", () => {
    const ours = figure("selvedge", 1);
    expect(judge(GAIN, "less", [ours, figure("peer", 150, 10, true)])).toMatchObject({ reached: true });
    expect(judge(GAIN, "less", [ours, figure("peer", 50, 10, true)])).not.toHaveProperty("reached");
  });

  test("that ours did not end within is missed", () => {
    expect(judge(LIMIT, "less", [figure("selvedge", 9, 10, true)])).toMatchObject({ reached: false });
    expect(judge(LIMIT, "less", [figure("selvedge", 4, 10, true)])).not.toHaveProperty("reached");
  });
});
