import { gainOf } from "./gain.ts";
import { type Goal, OURS, type Statistic } from "./series.ts";
import type { Summary } from "./statistics.ts";

/** Whether a goal is reached. */
export interface Judgement {
  readonly goal: Goal;
  /** In the table, it stands beside this program's figure of this size. */
  readonly program: string;
  readonly size?: number;
  /** In the quantity's unit for a limit, otherwise times. Absent where it was not measured. */
  readonly actual?: number;
  /** Absent where it was not measured, or not to the end. */
  readonly reached?: boolean;
}

interface Figure extends Summary {
  readonly program: string;
  readonly size?: number;
  readonly unfinished?: boolean;
}

export function judge(goal: Goal, better: "less" | "more", figures: readonly Figure[]): Judgement {
  const find = (program: string, size: number | undefined) =>
    figures.find((figure) => figure.program === program && figure.size === size);
  const sized = (size: number | undefined) => (size === undefined ? {} : { size });
  switch (goal.kind) {
    case "limit": {
      const place = { goal, program: OURS, ...sized(goal.size) };
      const ours = find(OURS, goal.size);
      const actual = statisticOf(ours, goal.statistic);
      if (actual === undefined) return place;
      if (ours?.unfinished === true)
        return { ...place, actual, ...(better === "less" && actual > goal.value && { reached: false }) };
      return { ...place, actual, reached: better === "less" ? actual <= goal.value : actual >= goal.value };
    }
    case "gain": {
      const place = { goal, program: goal.over, ...sized(goal.size) };
      const other = find(goal.over, goal.size);
      const [a, b] = [statisticOf(find(OURS, goal.size), goal.statistic), statisticOf(other, goal.statistic)];
      if (a === undefined || b === undefined) return place;
      const actual = gainOf(better, a, b);
      // Where the other did not come to its end, the true gain is greater: enough is enough, and less says nothing.
      if (other?.unfinished === true && actual < goal.factor) return { ...place, actual };
      return { ...place, actual, reached: actual >= goal.factor };
    }
    case "flat": {
      const place = { goal, program: OURS, size: goal.to };
      const [from, to] = [goal.from, goal.to].map((size) => statisticOf(find(OURS, size), goal.statistic));
      if (from === undefined || to === undefined) return place;
      return { ...place, actual: to / from, reached: to / from <= goal.factor };
    }
  }
}

function statisticOf(figure: Figure | undefined, statistic: Statistic): number | undefined {
  return figure?.[statistic];
}
