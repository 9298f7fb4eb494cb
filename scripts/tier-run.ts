import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  addCounts,
  type Counts,
  countsAfterSecondTry,
  type Failure,
  formatFailure,
  NO_COUNTS,
  type RunDetails,
  readRunDetails,
  readTestRun,
  type TierResult,
} from "./test-report.ts";
import { type Program, type Step, type TestRun, type Tier, UNAVAILABLE } from "./test-tiers.ts";

/** A step that takes longer hangs. The longest is the one that waits for idle processors. */
const STEP_LIMIT_MS = 40 * 60_000;
/** With --all; the longest is ten million cases for every decoder. */
const STEP_LIMIT_ALL_MS = 4 * 3_600_000;

/**
 * How long files took on two processors, so that those that take longest begin first:
 * `bun test --parallel=4 --timings=test/timings.json --update-timings …` writes it.
 */
const TIMINGS = resolve(import.meta.dir, "../test/timings.json");

/** Set to 1 for every tier with --all: tests that repeat themselves do it as often as test/support/effort.ts says. */
export const ALL = "SELVEDGE_TEST_ALL";

/** By earlier tiers, for this one too: a build of all programs takes seconds. */
const PREPARED = new Set<string>();

/** Where a tier says how it goes. */
export interface Output {
  readonly say: (text: string) => void;
  /** Of its programs, for Bun.spawn. */
  readonly stdio: "inherit" | "ignore" | number;
  /** In front of each of its programs. */
  readonly prefix: readonly string[];
}

/** What one run of one step told. */
interface Outcome {
  readonly counts: Counts;
  readonly failures: readonly Failure[];
}

export class TierRun {
  readonly #tier: Tier;
  readonly #scratch: string;
  readonly #nothingLeftOut: boolean;
  readonly #output: Output;
  readonly #started = performance.now();
  readonly #files: RunDetails["files"][number][] = [];
  readonly #failures: Failure[] = [];
  readonly #unsteady: Failure[] = [];
  #fileCount = 0;

  constructor(tier: Tier, scratch: string, nothingLeftOut: boolean, output: Output) {
    this.#tier = tier;
    this.#scratch = scratch;
    this.#nothingLeftOut = nothingLeftOut;
    this.#output = output;
  }

  async run(): Promise<TierResult> {
    const { name, about, lacks, preparations, steps: planSteps, atOnce = 1 } = this.#tier;
    this.#output.say(`\n── ${name}: ${about}`);
    const lack = lacks();
    if (lack !== undefined) return this.#leaveOut(lack);
    for (const command of preparations) {
      const words = command.join(" ");
      if (PREPARED.has(words)) continue;
      const { exitCode, stderr } = await runToEnd(command);
      if (exitCode === UNAVAILABLE) return this.#leaveOut(stderr.trim());
      if (exitCode !== 0) return this.#failed(words);
      PREPARED.add(words);
    }
    const steps = planSteps();
    if (steps.length === 0) return this.#failed("it has no test");
    const firsts = new Map<Step, Outcome>();
    const waiting = steps.values();
    const runner = async () => {
      for (const step of waiting) firsts.set(step, await this.#runWhole(step, atOnce));
    };
    await Promise.all(Array.from({ length: atOnce }, runner));
    let counts = NO_COUNTS;
    for (const [step, first] of firsts) counts = addCounts(counts, await this.#judge(step, first));
    return this.#result(counts);
  }

  /** Beside others a step says what it has to say when it is done. */
  async #runWhole(step: Step, atOnce: number): Promise<Outcome> {
    if (atOnce === 1) return await this.#runStep(step, this.#output);
    const log = this.#newFile("log");
    const file = openSync(log, "w");
    const say = (text: string) => void writeSync(file, `${text}\n`);
    const outcome = await this.#runStep(step, { ...this.#output, say, stdio: file });
    closeSync(file);
    this.#output.say(readFileSync(log, "utf8").trimEnd());
    return outcome;
  }

  #runStep(step: Step, output: Output): Promise<Outcome> {
    return step.kind === "program" ? this.#runProgram(step, output) : this.#runTests(step, output);
  }

  async #judge(step: Step, first: Outcome): Promise<Counts> {
    if (step.kind === "program" || first.counts.failed === 0 || this.#tier.secondTry !== true) return this.#keep(first);
    const files = first.failures.flatMap(({ file }) => (file === undefined ? [] : [resolve(file)]));
    const again = first.failures.every(({ file }) => file !== undefined) ? [...new Set(files)] : step.paths;
    this.#output.say(`once more, by itself: ${again.join(" ")}`);
    const second = await this.#runTests({ ...step, paths: again, parallel: 1 }, this.#output);
    const left = new Set(second.failures.map(formatFailure));
    this.#unsteady.push(...first.failures.filter((failure) => !left.has(formatFailure(failure))));
    return this.#keep({ ...second, counts: countsAfterSecondTry(first.counts, second.counts) });
  }

  #keep({ counts, failures }: Outcome): Counts {
    this.#failures.push(...failures);
    return counts;
  }

  async #runProgram({ command }: Program, output: Output): Promise<Outcome> {
    output.say(`$ ${command.join(" ")}`);
    return (await this.#exitCodeOf(command, output)) === 0
      ? { counts: { ...NO_COUNTS, passed: 1 }, failures: [] }
      : { counts: { ...NO_COUNTS, failed: 1 }, failures: [this.#outside(command)] };
  }

  async #runTests({ command, paths, parallel = 1, env }: TestRun, output: Output): Promise<Outcome> {
    const file = this.#newFile("xml");
    const words = [...command, ...(parallel > 1 ? [`--parallel=${parallel}`, `--timings=${TIMINGS}`] : []), ...paths];
    const exitCode = await this.#exitCodeOf([...words, "--reporter=junit", `--reporter-outfile=${file}`], output, env);
    const text = textOf(file);
    const counts = readTestRun(text, exitCode);
    const details = readRunDetails(text ?? "");
    this.#files.push(...details.files);
    // What fails outside of a test has no name but the run's.
    const unseen = counts.failed > details.failures.length ? [this.#outside(words)] : [];
    return { counts, failures: [...details.failures, ...unseen] };
  }

  async #exitCodeOf(
    command: readonly string[],
    { say, stdio, prefix }: Output,
    env: Readonly<Record<string, string>> = {},
  ): Promise<number> {
    const child = Bun.spawn([...prefix, ...command], {
      env: { ...process.env, ...env },
      stdio: ["ignore", stdio, stdio],
      timeout: process.env[ALL] === "1" ? STEP_LIMIT_ALL_MS : STEP_LIMIT_MS,
      killSignal: "SIGKILL",
    });
    const exitCode = await child.exited;
    if (child.signalCode !== null) say(`ended by ${child.signalCode}`);
    return exitCode;
  }

  /** @returns its path; it is not there yet */
  #newFile(extension: string): string {
    const path = join(this.#scratch, `${this.#tier.name}-${this.#fileCount++}.${extension}`);
    rmSync(path, { force: true });
    return path;
  }

  #outside(command: readonly string[]): Failure {
    return { file: undefined, test: `${this.#tier.name}: ${command.join(" ")}` };
  }

  #leaveOut(reason: string): TierResult {
    this.#output.say(`left out: ${reason}`);
    if (this.#nothingLeftOut) return this.#failed(reason);
    return { ...this.#result({ ...NO_COUNTS, skipped: 1 }), leftOut: reason };
  }

  #failed(reason: string): TierResult {
    this.#failures.push({ file: undefined, test: `${this.#tier.name}: ${reason}` });
    return this.#result({ ...NO_COUNTS, failed: 1 });
  }

  #result(counts: Counts): TierResult {
    const seconds = (performance.now() - this.#started) / 1000;
    const details = { files: this.#files, failures: this.#failures };
    return { name: this.#tier.name, counts, seconds, details, unsteady: this.#unsteady };
  }
}

/** Shows what a preparation says, and keeps it: it may be the reason for leaving the tier out. */
async function runToEnd(command: readonly string[]): Promise<{ exitCode: number; stderr: string }> {
  const child = Bun.spawn([...command], { stdio: ["ignore", "inherit", "pipe"], timeout: STEP_LIMIT_MS });
  let stderr = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    process.stderr.write(chunk);
    stderr += decoder.decode(chunk, { stream: true });
  }
  return { exitCode: await child.exited, stderr };
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
