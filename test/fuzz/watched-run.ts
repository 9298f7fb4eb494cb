import { existsSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuSecondsOf } from "../support/process-usage.ts";
import { CaseMemory } from "./case-memory.ts";
import type { RunOutput } from "./run.ts";

export interface FuzzJob {
  readonly target: string;
  readonly cases: number;
  readonly seed: number;
}

/** The outcomes of all cases, or an error with the case that broke the decoder. */
export type FuzzResult = Promise<Readonly<Record<string, number>>>;

/** A case takes microseconds. Of processor time, as there may be little of it. */
const STILL_LIMIT_SECONDS = 20;
const LOOK_MS = 1000;

/** Runs each job in a process of its own, so many at a time, in their order. */
export function startJobs(jobs: readonly FuzzJob[], atOnce: number): ReadonlyMap<string, FuzzResult> {
  const waiting = jobs.map((job) => ({ job, ...Promise.withResolvers<Readonly<Record<string, number>>>() }));
  const results = new Map(waiting.map(({ job, promise }) => [job.target, promise]));
  // Whoever asks for a result late finds its failure then.
  for (const result of results.values()) result.catch(() => undefined);
  const runner = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await runWatched(next.job).then(next.resolve, next.reject);
    }
  };
  for (let i = 0; i < atOnce; i++) void runner();
  return results;
}

/** A crash and a loop are told with their case: the process that tries it cannot tell. */
async function runWatched({ target, cases, seed }: FuzzJob): FuzzResult {
  const memory = join(tmpdir(), `selvedge-fuzz-${target}-${process.pid}`);
  const command = [process.execPath, join(import.meta.dir, "run.ts"), target, String(cases), String(seed), memory];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  let begun = 0;
  let since = 0;
  let still = false;
  const watch = setInterval(() => {
    const now = existsSync(memory) ? CaseMemory.open(memory).begun : 0;
    const used = cpuSecondsUntilNow(child.pid) ?? since;
    if (now !== begun) [begun, since] = [now, used];
    still = used - since > STILL_LIMIT_SECONDS;
    if (still) child.kill("SIGKILL");
  }, LOOK_MS);
  try {
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    await child.exited;
    const output = parseOutput(stdout);
    if (output?.outcomes !== undefined) return output.outcomes;
    const hex = existsSync(memory) ? CaseMemory.open(memory).last.toHex() : "";
    const how = still
      ? `it does not end within ${STILL_LIMIT_SECONDS} s`
      : `the process ended: ${stderr || child.signalCode}`;
    const { why, hex: bytes, shrunkHex } = output?.broken ?? { why: how, hex, shrunkHex: hex };
    throw new Error(
      `${target} broke (seed ${seed}): ${why}\nthe case: ${bytes}\nshrunk:   ${shrunkHex}\n` +
        `(keep its bytes as test/fuzz/corpus/${target}/WHAT-WAS-WRONG: then it is tried first, ever after)`,
    );
  } finally {
    clearInterval(watch);
    rmSync(memory, { force: true });
  }
}

/** @returns undefined once it has ended */
function cpuSecondsUntilNow(pid: number): number | undefined {
  try {
    return cpuSecondsOf(pid);
  } catch {
    return undefined;
  }
}

function parseOutput(text: string): RunOutput | undefined {
  try {
    return JSON.parse(text) as RunOutput;
  } catch {
    return undefined;
  }
}
