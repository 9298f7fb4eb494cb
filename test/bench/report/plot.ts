import { type Line, renderBarChart, renderLineChart } from "./chart.ts";
import { formatFigure } from "./figure.ts";
import { describeMachine } from "./machine.ts";
import { colourOf, renderPage } from "./page.ts";
import type { Entry, Measured, Result } from "./result.ts";
import { OURS, type Statistic } from "./series.ts";

/** A chart for each quantity: lines over sizes, or bars where there is only one size. */
export function renderPlot(result: Result): string {
  const programs = programsOf(result);
  const legend = programs.map((name) => ({ name, colour: colourOf(programs, name) }));
  const lines = [
    describeMachine(result.machine),
    "solid: median · dashed: p99 · arrow: given up, the true value is greater · dotted: to reach",
  ];
  const charts = result.quantities.map((measured) => renderMeasured(measured, programs, result.sizes));
  return renderPage(result.title, lines, legend, charts);
}

function programsOf({ quantities }: Result): readonly string[] {
  const names = quantities.flatMap(({ entries }) => entries.map(({ program }) => program));
  return [...new Set([OURS, ...names])].filter((name) => names.includes(name));
}

function renderMeasured(measured: Measured, programs: readonly string[], sizes: string): string {
  const { quantity: title, better, unit, entries, judgements } = measured;
  const note = `${better} is better`;
  const limit = judgements.map(({ goal }) => goal).find((goal) => goal.kind === "limit");
  const level = limit === undefined ? {} : { level: limit.value };
  if (new Set(entries.map(({ size }) => size)).size > 1) {
    const format = { formatX: (x: number) => x.toLocaleString("en"), formatY: (y: number) => formatFigure(y, unit) };
    const lines = programs.flatMap((program) => linesOf(entries, program, colourOf(programs, program)));
    return renderLineChart({ title, note, lines, x: "sizes", xLabel: sizes, ...format, ...level });
  }
  const bars = entries.map(({ program, median, unfinished }) => ({
    label: program,
    colour: colourOf(programs, program),
    value: median,
    text: `${unfinished === true ? "> " : ""}${formatFigure(median, unit)}`,
  }));
  return renderBarChart({ title, note, bars, ...level });
}

function linesOf(entries: readonly Entry[], program: string, colour: string): readonly Line[] {
  const own = entries.filter((entry) => entry.program === program);
  const points = (statistic: Statistic) =>
    own.flatMap((entry) => {
      const { size, [statistic]: y, unfinished } = entry;
      if (size === undefined || y === undefined) return [];
      return [{ x: size, y, ...(unfinished === true && { atLeast: true }) }];
    });
  const lines = [
    { colour, points: points("median") },
    { colour, points: points("p99"), dashed: true },
  ];
  return lines.filter((line) => line.points.length > 0);
}
