import { describe, expect, test } from "bun:test";
import { renderPlot } from "../../../../bench/report/plot.ts";
import { evaluate, type Result } from "../../../../bench/report/result.ts";
import type { Quantity, Series } from "../../../../bench/report/series.ts";
import { formatSummary } from "../../../../bench/report/summary.ts";
import { formatTable } from "../../../../bench/report/table.ts";

const LOAD: Quantity = {
  name: "time to load <all>",
  unit: "s",
  better: "less",
  goals: [
    { kind: "limit", value: 0.15, statistic: "median", size: 1000 },
    { kind: "flat", from: 100, to: 1000, factor: 1.05, statistic: "median" },
    { kind: "gain", over: "kube-proxy", factor: 100, statistic: "median", size: 1000 },
  ],
};
const RATE: Quantity = { name: "connections", unit: "1/s", better: "more" };
const SERIES: readonly Series[] = [
  { quantity: LOAD, program: "kube-proxy", size: 1000, values: [500], unfinished: true },
  { quantity: LOAD, program: "selvedge", size: 1000, values: [0.3, 0.1, 0.2] },
  { quantity: LOAD, program: "selvedge", size: 100, values: [0.01] },
  { quantity: RATE, program: "direct", values: [20_000] },
  { quantity: RATE, program: "selvedge", values: [18_000] },
];

function result(): Result {
  const machine = {
    kernel: "6.1",
    processor: "A & B",
    cores: 2,
    memoryBytes: 1e9,
    bun: "1",
    commit: "c",
    loadAverage: 1,
  };
  return {
    benchmark: "x",
    title: "Beside",
    sizes: "services",
    machine: { ...machine, date: "2026-01-02T03:04:05Z" },
    versions: { "kube-proxy": "v1" },
    quantities: evaluate(SERIES),
  };
}

describe("a result", () => {
  test("orders by size, ours first, and tells how many times better ours is", () => {
    const [load, rate] = evaluate(SERIES);
    expect(load?.entries.map(({ program, size, gain }) => [program, size, gain])).toEqual([
      ["selvedge", 100, undefined],
      ["selvedge", 1000, undefined],
      ["kube-proxy", 1000, 2500],
    ]);
    expect(rate?.entries[1]).toMatchObject({ program: "direct", gain: 0.9 });
  });

  test("keeps few values whole, and of many the summary", () => {
    const many = Array.from({ length: 101 }, (_, i) => i);
    const [measured] = evaluate([
      { quantity: RATE, program: "selvedge", values: many },
      { quantity: RATE, program: "direct", values: [1] },
    ]);
    expect(measured?.entries[0]).not.toHaveProperty("values");
    expect(measured?.entries[1]?.values).toEqual([1]);
  });

  test("is printed with every figure beside what is to be reached", () => {
    const lines = formatTable(result()).split("\n").slice(5);
    expect(lines.map((line) => line.split(/ {2,}/).filter((cell) => cell !== ""))).toEqual([
      ["services", "program", "median", "p99", "n", "gain", "to reach"],
      ["time to load <all> (less is better)"],
      ["100", "selvedge", "10 ms", "1"],
      ["1,000", "selvedge", "200 ms", "3", "≤ 150 ms", "NOT REACHED: 200 ms"],
      ["≤ 1.05 × that of 100", "NOT REACHED: 20 ×"],
      ["kube-proxy", "> 500 s", "1", "> 2,500 ×", "gain over kube-proxy ≥ 100 ×", "reached: 2,500 ×"],
      ["connections (more is better)"],
      ["selvedge", "18,000 /s", "1"],
      ["direct", "20,000 /s", "1", "0.9 ×"],
    ]);
    // Columns stand below each other.
    const at = lines.flatMap((line) => (line.includes("≤") || line.includes("≥") ? [line.search(/≤|gain/)] : []));
    expect(new Set(at).size).toBe(1);
  });

  test("is summed up in a line for each figure to reach", () => {
    expect(formatSummary([result()]).split("\n")).toEqual([
      "x  time to load <all>, 1,000  ≤ 150 ms                      NOT REACHED: 200 ms",
      "x  time to load <all>, 1,000  ≤ 1.05 × that of 100          NOT REACHED: 20 ×",
      "x  time to load <all>, 1,000  gain over kube-proxy ≥ 100 ×  reached: 2,500 ×",
    ]);
  });

  test("is drawn as well-formed XML with a chart for each quantity", () => {
    const svg = renderPlot(result());
    const open: string[] = [];
    for (const [, close, name = "", empty] of svg.matchAll(/<(\/?)([a-z]+)(?: [\w-]+="[^"<>]*")*(\/?)>/g)) {
      if (close === "/") expect(open.pop()).toBe(name);
      else if (empty === "") open.push(name);
    }
    expect(open).toEqual([]);
    expect(svg.replace(/<[^<>]*>/g, "")).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/);
    expect(svg).toContain(">time to load &lt;all&gt;</text>");
    expect(svg).toContain(">connections</text>");
    expect(svg.match(/(?:less|more) is better/g)).toEqual(["less is better", "more is better"]);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });
});
