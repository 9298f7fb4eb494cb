import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addCounts, formatCounts, formatFailure, formatSlowest, formatTable, type TierResult } from "./test-report.ts";
import { TIERS, type Tier } from "./test-tiers.ts";
import { ALL, type Output, TierRun } from "./tier-run.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

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
  const unsteady = results.flatMap((result) => result.unsteady);
  console.log(`\nthe slowest files:\n${formatSlowest(results.flatMap(({ details }) => details.files))}`);
  if (unsteady.length > 0) console.log(`\nfailed, and passed by itself:\n${unsteady.map(formatFailure).join("\n")}`);
  if (failures.length > 0) console.log(`\nfailed:\n${failures.map(formatFailure).join("\n")}`);
  console.log(`\n${formatTable(results)}\n\n${formatCounts(total)}`);
}

process.exitCode = await main(process.argv.slice(2));
