import { describeGoal, describeOutcome } from "./judgement-text.ts";
import type { Result } from "./result.ts";

/** What was to be reached in several benchmarks, and what was: one line each. */
export function formatSummary(results: readonly Result[]): string {
  const rows = results.flatMap(({ benchmark, quantities }) =>
    quantities.flatMap(({ quantity, unit, better, judgements }) =>
      judgements.map((one) => {
        const size = one.size === undefined ? "" : `, ${one.size.toLocaleString("en")}`;
        return [benchmark, `${quantity}${size}`, describeGoal(one.goal, unit, better), describeOutcome(one, unit)];
      }),
    ),
  );
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => Bun.stringWidth(row[column] ?? ""))));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - Bun.stringWidth(cell))))
        .join("  "),
    )
    .map((line) => line.trimEnd())
    .join("\n");
}
