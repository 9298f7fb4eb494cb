import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  addCounts,
  type Counts,
  formatCounts,
  formatTable,
  NO_COUNTS,
  readTestRun,
  type TierResult,
} from "./test-report.ts";
import { type Step, TIERS, type Tier, UNAVAILABLE } from "./test-tiers.ts";

/** A step that takes longer hangs. The longest, a first build of the API server on two cores, takes six minutes. */
const STEP_LIMIT_MS = 20 * 60_000;
/** With --all; the longest is ten million cases for every decoder. */
const STEP_LIMIT_ALL_MS = 4 * 3_600_000;

/** Set to 1 for every tier with --all: tests that repeat themselves do it as often as test/support/effort.ts says. */
const ALL = "SELVEDGE_TEST_ALL";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

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
    const results: TierResult[] = [];
    for (const tier of TIERS)
      if (names.length === 0 || names.includes(tier.name))
        results.push(await runTier(tier, scratch, options.length > 0));
    const total = results.map((result) => result.counts).reduce(addCounts);
    console.log(`\n${formatTable(results)}\n\n${formatCounts(total)}`);
    return total.failed === 0 ? 0 : EXIT_FAILED;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function runTier(tier: Tier, scratch: string, nothingLeftOut: boolean): Promise<TierResult> {
  console.log(`\n── ${tier.name}: ${tier.about}`);
  const start = performance.now();
  const result = (counts: Counts) => ({ name: tier.name, counts, seconds: (performance.now() - start) / 1000 });
  const leaveOut = (reason: string): TierResult => {
    console.log(`left out: ${reason}`);
    return nothingLeftOut
      ? result({ ...NO_COUNTS, failed: 1 })
      : { ...result({ ...NO_COUNTS, skipped: 1 }), leftOut: reason };
  };

  const lack = tier.lacks();
  if (lack !== undefined) return leaveOut(lack);
  for (const command of tier.preparations) {
    const { exitCode, stderr } = await runToEnd(command);
    if (exitCode === UNAVAILABLE) return leaveOut(stderr.trim());
    if (exitCode !== 0) return result({ ...NO_COUNTS, failed: 1 });
  }
  const steps = tier.steps();
  if (steps.length === 0) console.log("Cannot count this tier as passed: it has no test");
  let counts: Counts = steps.length === 0 ? { ...NO_COUNTS, failed: 1 } : NO_COUNTS;
  for (const step of steps) counts = addCounts(counts, await runStep(step, scratch));
  return result(counts);
}

async function runStep({ command, env, kind }: Step, scratch: string): Promise<Counts> {
  if (kind === "program") console.log(`$ ${command.join(" ")}`);
  const file = join(scratch, "report.xml");
  rmSync(file, { force: true });
  const report = kind === "test run" ? ["--reporter=junit", `--reporter-outfile=${file}`] : [];
  const child = Bun.spawn([...command, ...report], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
    timeout: process.env[ALL] === "1" ? STEP_LIMIT_ALL_MS : STEP_LIMIT_MS,
    killSignal: "SIGKILL",
  });
  const exitCode = await child.exited;
  if (child.signalCode !== null) console.log(`ended by ${child.signalCode}`);
  if (kind === "test run") return readTestRun(textOf(file), exitCode);
  return exitCode === 0 ? { ...NO_COUNTS, passed: 1 } : { ...NO_COUNTS, failed: 1 };
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
