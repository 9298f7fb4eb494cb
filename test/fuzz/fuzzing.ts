import type { CaseMemory } from "./case-memory.ts";
import { Mutator } from "./mutator.ts";
import { xorshift } from "./random.ts";
import type { FuzzTarget } from "./target.ts";

/** Seeds that mutation itself has found: those with a new outcome. */
const MOST_FOUND = 256;

export interface FuzzReport {
  readonly cases: number;
  /** How often each outcome came, the most frequent first. */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** The same seed and corpus make the same cases. @throws what the target throws; the case is in the memory */
export async function fuzz(
  target: FuzzTarget,
  corpus: readonly Uint8Array[],
  cases: number,
  seed: number,
  memory: CaseMemory,
): Promise<FuzzReport> {
  const random = xorshift(seed);
  const mutator = new Mutator(target, random);
  const seeds = corpus.length > 0 ? [...corpus] : [new Uint8Array()];
  const mostSeeds = seeds.length + MOST_FOUND;
  const outcomes = new Map<string, number>();
  const pick = () => seeds[random() % seeds.length] ?? new Uint8Array();
  for (let i = 0; i < cases; i++) {
    // What is known to have gone wrong goes first, as it is.
    const mutated = i < corpus.length ? pickAt(corpus, i, target.mostBytes) : mutator.mutate(pick(), pick());
    const input = memory.put(mutated);
    const result = target.run(input);
    const outcome = typeof result === "string" ? result : await result;
    const before = outcomes.get(outcome) ?? 0;
    outcomes.set(outcome, before + 1);
    if (before === 0 && seeds.length < mostSeeds) seeds.push(mutated.slice());
  }
  return { cases, outcomes: Object.fromEntries([...outcomes].sort(([, a], [, b]) => b - a)) };
}

function pickAt(corpus: readonly Uint8Array[], at: number, mostBytes: number): Uint8Array {
  return (corpus[at] ?? new Uint8Array()).subarray(0, mostBytes);
}
