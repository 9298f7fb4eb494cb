import type { Unit } from "./figure.ts";
import { gainOf } from "./gain.ts";
import { type Judgement, judge } from "./judgement.ts";
import type { Machine } from "./machine.ts";
import { OURS, type Series } from "./series.ts";
import { type Summary, summarize } from "./statistics.ts";

/** Beyond it, a file tells the summary only. */
const VALUES_KEPT = 100;

/** One program at one size. */
export interface Entry extends Summary {
  readonly program: string;
  readonly size?: number;
  readonly unfinished?: boolean;
  readonly values?: readonly number[];
  /** How many times better ours is, by the medians. Absent for ours. */
  readonly gain?: number;
}

export interface Measured {
  readonly quantity: string;
  readonly unit: Unit;
  readonly better: "less" | "more";
  /** By size, ours first. */
  readonly entries: readonly Entry[];
  readonly judgements: readonly Judgement[];
}

/** A benchmark's outcome as the JSON file has it: the table and the plot are made of it. */
export interface Result {
  readonly benchmark: string;
  readonly title: string;
  /** What a size counts. */
  readonly sizes: string;
  readonly machine: Machine;
  /** Of the programs that were measured. */
  readonly versions: Readonly<Record<string, string>>;
  readonly quantities: readonly Measured[];
}

/** Quantities come in the order in which they were first measured, programs too, except that ours is the first. */
export function evaluate(all: readonly Series[]): readonly Measured[] {
  const byName = Map.groupBy(all, (series) => series.quantity.name);
  return [...byName.values()].flatMap((list) => {
    const [first] = list;
    if (first === undefined) return [];
    const { name, unit, better, goals = [] } = first.quantity;
    const entries = list.map((series) => entryOf(series, list)).toSorted(bySize);
    return [{ quantity: name, unit, better, entries, judgements: goals.map((goal) => judge(goal, better, entries)) }];
  });
}

function entryOf(series: Series, all: readonly Series[]): Entry {
  const { program, size, values, unfinished } = series;
  const ours = all.find((other) => other.program === OURS && other.size === size);
  const summary = summarize(values);
  return {
    program,
    ...(size !== undefined && { size }),
    ...summary,
    ...(unfinished === true && { unfinished }),
    ...(values.length <= VALUES_KEPT && { values }),
    ...(ours !== undefined &&
      ours !== series && { gain: gainOf(series.quantity.better, summarize(ours.values).median, summary.median) }),
  };
}

function bySize(a: Entry, b: Entry): number {
  return (a.size ?? 0) - (b.size ?? 0) || Number(b.program === OURS) - Number(a.program === OURS);
}
