import { formatFigure, formatTimes, type Unit } from "./figure.ts";
import { describeGoal, describeOutcome } from "./judgement-text.ts";
import { describeMachine } from "./machine.ts";
import type { Entry, Measured, Result } from "./result.ts";

const HEADINGS = ["program", "median", "p99", "n", "gain", "to reach", ""];
const COLUMNS = 1 + HEADINGS.length;
/** Text to the left, numbers to the right. */
const LEFT: ReadonlySet<number> = new Set([1, 6, 7]);

/** A line of its own, or cells below the headings. */
type Row = string | readonly string[];

/** All figures of a benchmark, each with its peers' below it. */
export function formatTable(result: Result): string {
  const versions = Object.entries(result.versions).map(([program, version]) => `${program} ${version}`);
  return [
    result.title,
    describeMachine(result.machine),
    ...(versions.length > 0 ? [versions.join(" · ")] : []),
    "gain: how many times better selvedge is than the program of the row, by the medians",
    "",
    ...align([[result.sizes, ...HEADINGS], ...result.quantities.flatMap((measured) => rowsOf(measured))]),
  ].join("\n");
}

function rowsOf({ quantity, unit, better, entries, judgements }: Measured): readonly Row[] {
  let size: number | undefined;
  const rows = entries.flatMap((entry) => {
    const label = entry.size === size ? "" : (entry.size?.toLocaleString("en") ?? "");
    size = entry.size;
    const own = judgements.filter((one) => one.program === entry.program && one.size === entry.size);
    const [first, ...more] = own.map((one) => [describeGoal(one.goal, unit, better), describeOutcome(one, unit)]);
    const row = [label, ...figureCells(entry, unit), ...(first ?? ["", ""])];
    return [row, ...more.map((cells) => [...Array<string>(COLUMNS - cells.length).fill(""), ...cells])];
  });
  return [`${quantity} (${better} is better)`, ...rows];
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

function align(rows: readonly Row[]): readonly string[] {
  const widths = Array.from({ length: COLUMNS }, (_, column) =>
    Math.max(...rows.map((row) => (typeof row === "string" ? 0 : Bun.stringWidth(row[column] ?? "")))),
  );
  return rows.map((row) => {
    if (typeof row === "string") return row;
    const cells = row.map((cell, column) => {
      const space = " ".repeat((widths[column] ?? 0) - Bun.stringWidth(cell));
      return LEFT.has(column) ? cell + space : space + cell;
    });
    return `  ${cells.join("  ")}`.trimEnd();
  });
}
