import { formatFigure, formatTimes, type Unit } from "./figure.ts";
import type { Judgement } from "./judgement.ts";
import type { Goal } from "./series.ts";

/** What is to be reached, as in "gain over kube-proxy ≥ 100 × (p99)". */
export function describeGoal(goal: Goal, unit: Unit, better: "less" | "more"): string {
  const statistic = goal.statistic === "median" ? "" : ` (${goal.statistic})`;
  switch (goal.kind) {
    case "limit":
      return `${better === "less" ? "≤" : "≥"} ${formatFigure(goal.value, unit)}${statistic}`;
    case "gain":
      return `gain over ${goal.over} ≥ ${formatTimes(goal.factor)}${statistic}`;
    case "flat":
      return `≤ ${formatTimes(goal.factor)} that of ${goal.from.toLocaleString("en")}${statistic}`;
  }
}

/** Whether it is, and the figure that says so. */
export function describeOutcome({ goal, actual, reached }: Judgement, unit: Unit): string {
  const verdict = reached === undefined ? "not measured" : reached ? "reached" : "NOT REACHED";
  if (actual === undefined) return verdict;
  return `${verdict}: ${goal.kind === "limit" ? formatFigure(actual, unit) : formatTimes(actual)}`;
}
