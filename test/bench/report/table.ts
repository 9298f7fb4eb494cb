import { formatFigure, formatTimes, type Unit } from "./figure.ts";
import type { Judgement } from "./judgement.ts";
import { describeMachine } from "./machine.ts";
import type { Entry, Measured, Result } from "./result.ts";

const HEADINGS = ["program", "median", "p99", "n", "gain", "to reach", ""];
/** Text to the left, numbers to the right. */
const LEFT: ReadonlySet<number> = new Set([0, 2, 7, 8]);

type Row = readonly string[];

/** All figures of a benchmark, each with its peers' below it. */
export function formatTable(result: Result): string {
  const versions = Object.entries(result.versions).map(([program, version]) => `${program} ${version}`);
  const headings = ["", result.sizes, ...HEADINGS];
  const rows = result.quantities.flatMap((measured) => rowsOf(measured));
  return [
    result.title,
    describeMachine(result.machine),
    ...(versions.length > 0 ? [versions.join(" · ")] : []),
    "gain: how many times better selvedge is than the program of the row, by the medians",
    "",
    ...align([headings, ...rows]),
  ].join("\n");
}

function rowsOf({ quantity, unit, better, entries, judgements }: Measured): readonly Row[] {
  let size: number | undefined;
  return entries.flatMap((entry, i) => {
    const label = entry.size === size ? "" : (entry.size?.toLocaleString("en") ?? "");
    size = entry.size;
    const own = judgements.filter((one) => one.program === entry.program && one.size === entry.size);
    const [first, ...more] = own.map((one) => judgementCells(one, unit, better));
    const row = [i === 0 ? quantity : "", label, ...figureCells(entry, unit), ...(first ?? ["", ""])];
    return [row, ...more.map((cells) => [...Array<string>(HEADINGS.length + 2 - cells.length).fill(""), ...cells])];
  });
}

function figureCells({ program, median, p99, count, unfinished = false, gain }: Entry, unit: Unit): Row {
  const least = unfinished ? "> " : "";
  return [
    program,
    least + formatFigure(median, unit),
    p99 === undefined ? "" : formatFigure(p99, unit),
    count.toLocaleString("en"),
    gain === undefined ? "" : least + formatTimes(gain),
  ];
}

function judgementCells({ goal, actual, reached }: Judgement, unit: Unit, better: "less" | "more"): Row {
  const verdict = reached === undefined ? "not measured" : reached ? "reached" : "NOT REACHED";
  const statistic = goal.statistic === "median" ? "" : ` (${goal.statistic})`;
  const times = actual === undefined ? "" : `: ${formatTimes(actual)}`;
  switch (goal.kind) {
    case "limit":
      return [`${better === "less" ? "≤" : "≥"} ${formatFigure(goal.value, unit)}${statistic}`, verdict];
    case "gain":
      return [
        `gain ≥ ${formatTimes(goal.factor)}${statistic}`,
        `${verdict}${goal.statistic === "median" ? "" : times}`,
      ];
    case "flat":
      return [
        `≤ ${formatTimes(goal.factor)} that of ${goal.from.toLocaleString("en")}${statistic}`,
        `${verdict}${times}`,
      ];
  }
}

function align(rows: readonly Row[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => Bun.stringWidth(row[column] ?? ""))));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const space = " ".repeat((widths[column] ?? 0) - Bun.stringWidth(cell));
        return LEFT.has(column) ? cell + space : space + cell;
      })
      .join("  ")
      .trimEnd(),
  );
}
