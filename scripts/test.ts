import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  addCounts,
  type Counts,
  formatCounts,
  formatSlowest,
  formatTable,
  NO_COUNTS,
  type RunDetails,
  readRunDetails,
  readTestRun,
  type TierResult,
} from "./test-report.ts";
import { type Step, TIERS, type Tier, UNAVAILABLE } from "./test-tiers.ts";

/** A step that takes longer hangs. The longest is the one that waits for idle processors. */
const STEP_LIMIT_MS = 40 * 60_000;
/** With --all; the longest is ten million cases for every decoder. */
const STEP_LIMIT_ALL_MS = 4 * 3_600_000;

/** Set to 1 for every tier with --all: tests that repeat themselves do it as often as test/support/effort.ts says. */
const ALL = "SELVEDGE_TEST_ALL";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Where a tier says how it goes. */
interface Output {
  readonly say: (text: string) => void;
  /** Of its programs, for Bun.spawn. */
  readonly stdio: "inherit" | number;
  /** In front of each of its programs. */
  readonly prefix: readonly string[];
}

const TERMINAL: Output = { say: (text) => console.log(text), stdio: "inherit", prefix: [] };

/** SCHED_IDLE, sched(7): whoever else wants a processor gets it at once. */
const ON_IDLE_PROCESSORS = ["chrt", "--idle", "0"];

async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((arg) => !arg.startsWith("--"));
  const options = args.filter((arg) => arg.startsWith("--"));
  const unknown = names.filter((name) => !TIERS.some((tier) => tier.name === name));
  if (unknown.length > 0) {
    console.error(
      `Cannot run the tests of ${unknown.join(", ")}: known are ${TIERS.map((tier) => tier.name).join(", ")}`,
    );
    return EXIT_USAGE;
  }
  const strange = options.filter((option) => option !== "--complete" && option !== "--all");
  if (strange.length > 0) {
    console.error(`Cannot take ${strange.join(", ")}: known are --complete and --all`);
    return EXIT_USAGE;
  }
  if (options.includes("--all")) process.env[ALL] = "1";
  const scratch = mkdtempSync(join(tmpdir(), "selvedge-test-"));
  try {
    const tiers = TIERS.filter((tier) => names.length === 0 || names.includes(tier.name));
    const results = await runTiers(tiers, scratch, options.length > 0);
    report(results);
    return results.every(({ counts }) => counts.failed === 0) ? 0 : EXIT_FAILED;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @returns in the order of the tiers */
async function runTiers(
  tiers: readonly Tier[],
  scratch: string,
  nothingLeftOut: boolean,
): Promise<readonly TierResult[]> {
  const results = new Map<Tier, TierResult>();
  const run = async (tier: Tier, output: Output) =>
    void results.set(tier, await new TierRun(tier, scratch, nothingLeftOut, output).run());
  const others = tiers.filter((tier) => tier.beside !== true);
  const beside = tiers.filter((tier) => others.length > 0 && tier.beside === true);
  const running = beside.map(async (tier) => {
    console.log(`── ${tier.name} runs beside the others and is told of at the end`);
    const log = join(scratch, `${tier.name}.log`);
    const file = openSync(log, "a");
    await run(tier, {
      say: (text) => writeSync(file, `${text}\n`),
      stdio: file,
      prefix: ON_IDLE_PROCESSORS,
    });
    closeSync(file);
    return log;
  });
  for (const tier of others.length > 0 ? others : tiers) await run(tier, TERMINAL);
  for (const log of running) process.stdout.write(readFileSync(await log));
  return tiers.flatMap((tier) => results.get(tier) ?? []);
}

function report(results: readonly TierResult[]): void {
  const total = results.map((result) => result.counts).reduce(addCounts);
  const failures = results.flatMap(({ details }) => details.failures);
  console.log(`\nthe slowest files:\n${formatSlowest(results.flatMap(({ details }) => details.files))}`);
  if (failures.length > 0) console.log(`\nfailed:\n${failures.join("\n")}`);
  console.log(`\n${formatTable(results)}\n\n${formatCounts(total)}`);
}

class TierRun {
  readonly #tier: Tier;
  readonly #scratch: string;
  readonly #nothingLeftOut: boolean;
  readonly #output: Output;
  readonly #started = performance.now();
  readonly #files: RunDetails["files"][number][] = [];
  readonly #failures: string[] = [];

  constructor(tier: Tier, scratch: string, nothingLeftOut: boolean, output: Output) {
    this.#tier = tier;
    this.#scratch = scratch;
    this.#nothingLeftOut = nothingLeftOut;
    this.#output = output;
  }

  async run(): Promise<TierResult> {
    const { name, about, lacks, preparations, steps: planSteps } = this.#tier;
    this.#output.say(`\n── ${name}: ${about}`);
    const lack = lacks();
    if (lack !== undefined) return this.#leaveOut(lack);
    for (const command of preparations) {
      const { exitCode, stderr } = await runToEnd(command);
      if (exitCode === UNAVAILABLE) return this.#leaveOut(stderr.trim());
      if (exitCode !== 0) return this.#failed(command.join(" "));
    }
    const steps = planSteps();
    if (steps.length === 0) return this.#failed("it has no test");
    let counts = NO_COUNTS;
    for (const step of steps) counts = addCounts(counts, await this.#runStep(step));
    return this.#result(counts);
  }

  async #runStep({ command, env, kind }: Step): Promise<Counts> {
    const { say, stdio, prefix } = this.#output;
    if (kind === "program") say(`$ ${command.join(" ")}`);
    const file = join(this.#scratch, `${this.#tier.name}.xml`);
    rmSync(file, { force: true });
    const reporter = kind === "test run" ? ["--reporter=junit", `--reporter-outfile=${file}`] : [];
    const child = Bun.spawn([...prefix, ...command, ...reporter], {
      env: { ...process.env, ...env },
      stdio: ["ignore", stdio, stdio],
      timeout: process.env[ALL] === "1" ? STEP_LIMIT_ALL_MS : STEP_LIMIT_MS,
      killSignal: "SIGKILL",
    });
    const exitCode = await child.exited;
    if (child.signalCode !== null) say(`ended by ${child.signalCode}`);
    const text = textOf(file);
    const counts =
      kind === "test run"
        ? readTestRun(text, exitCode)
        : { ...NO_COUNTS, ...(exitCode === 0 ? { passed: 1 } : { failed: 1 }) };
    const details = readRunDetails(text ?? "");
    this.#files.push(...details.files);
    this.#failures.push(...details.failures);
    // What fails outside of a test has no name but the run's.
    if (counts.failed > details.failures.length) this.#failures.push(`${this.#tier.name}: ${command.join(" ")}`);
    return counts;
  }

  #leaveOut(reason: string): TierResult {
    this.#output.say(`left out: ${reason}`);
    if (this.#nothingLeftOut) return this.#failed(reason);
    return { ...this.#result({ ...NO_COUNTS, skipped: 1 }), leftOut: reason };
  }

  #failed(reason: string): TierResult {
    this.#failures.push(`${this.#tier.name}: ${reason}`);
    return this.#result({ ...NO_COUNTS, failed: 1 });
  }

  #result(counts: Counts): TierResult {
    const seconds = (performance.now() - this.#started) / 1000;
    return { name: this.#tier.name, counts, seconds, details: { files: this.#files, failures: this.#failures } };
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

process.exitCode = await main(process.argv.slice(2));
