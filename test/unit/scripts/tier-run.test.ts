import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatFailure, type TierResult } from "../../../scripts/test-report.ts";
import type { Step } from "../../../scripts/test-tiers.ts";
import { TierRun } from "../../../scripts/tier-run.ts";

const scratch = mkdtempSync(join(tmpdir(), "selvedge-tier-"));
const files = join(scratch, "files");
const runs = join(scratch, "runs");
afterAll(() => rmSync(scratch, { recursive: true }));
beforeEach(() => {
  for (const folder of [files, runs]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
  }
});

/** @param body of a test which knows by `run`, from 1, how often its file ran */
function testFile(name: string, body: string): void {
  const counter = `import { readdirSync, writeFileSync } from "node:fs";
    writeFileSync(\`${runs}/${name}-\${process.pid}\`, "");
    const run = readdirSync("${runs}").filter((file) => file.startsWith("${name}-")).length;`;
  writeFileSync(
    join(files, `${name}.test.ts`),
    `import { expect, test } from "bun:test"; ${counter} test("${name}", () => { ${body} });`,
  );
}

function timesRun(name: string): number {
  return readdirSync(runs).filter((file) => file.startsWith(`${name}-`)).length;
}

test("steps at once run beside one another, and what one prints comes as a whole; what fails runs alone after them", async () => {
  const waitForBoth = `while (readdirSync("${runs}").length < 2) {} console.log("${"x".repeat(20)}");`;
  testFile("one", waitForBoth);
  testFile(
    "other",
    `if (run === 1) { ${waitForBoth} throw new Error(); } expect(readdirSync("${runs}").length).toBe(3);`,
  );
  const said: string[] = [];
  const steps = ["one", "other"].map((name): Step => {
    const paths = [join(files, `${name}.test.ts`)];
    return { kind: "test run", command: [process.execPath, "test"], paths, env: { CI: "" } };
  });
  const tier = { name: "some", about: "", preparations: [], lacks: () => undefined, steps: () => steps };
  const output = { say: (text: string) => void said.push(text), stdio: "ignore", prefix: [] } as const;
  const { counts } = await new TierRun({ ...tier, secondTry: true, atOnce: 2 }, scratch, true, output).run();
  expect(counts).toEqual({ passed: 2, failed: 0, skipped: 0 });
  expect(said.filter((text) => text.includes("xxxx"))).toHaveLength(2);
});

async function runTier(secondTry: boolean): Promise<TierResult> {
  const step: Step = { kind: "test run", command: [process.execPath, "test"], paths: [files], env: { CI: "" } };
  const tier = { name: "some", about: "", preparations: [], lacks: () => undefined, steps: () => [step], secondTry };
  const output = { say: () => undefined, stdio: "ignore", prefix: [] } as const;
  return new TierRun(tier, scratch, true, output).run();
}

test("what fails runs once more without the rest, and is told of as unsteady if it passes", async () => {
  testFile("steady", "");
  testFile("unsteady", "expect(run).toBe(2);");
  const { counts, details, unsteady } = await runTier(true);
  expect(counts).toEqual({ passed: 2, failed: 0, skipped: 0 });
  expect(details.failures).toEqual([]);
  expect(unsteady.map(formatFailure)).toEqual([`${join(files, "unsteady.test.ts")}: unsteady`]);
  expect([timesRun("steady"), timesRun("unsteady")]).toEqual([1, 2]);
});

test("what fails twice has failed", async () => {
  testFile("wrong", "expect(run).toBe(0);");
  testFile("steady", "");
  const { counts, details, unsteady } = await runTier(true);
  expect(counts).toEqual({ passed: 1, failed: 1, skipped: 0 });
  expect(details.failures.map((failure) => failure.test)).toEqual(["wrong"]);
  expect(unsteady).toEqual([]);
  expect(timesRun("wrong")).toBe(2);
});

test("a file that ends its runner has the whole step run once more", async () => {
  testFile("deadly", "if (run === 1) process.kill(process.pid, 'SIGKILL');");
  const { counts, unsteady } = await runTier(true);
  expect(counts.failed).toBe(0);
  expect(counts.passed).toBe(1);
  expect(unsteady).toHaveLength(1);
});

test("a tier without a second try fails at the first", async () => {
  testFile("unsteady", "expect(run).toBe(2);");
  const { counts, details } = await runTier(false);
  expect(counts.failed).toBe(1);
  expect(details.failures.map((failure) => failure.test)).toEqual(["unsteady"]);
  expect(timesRun("unsteady")).toBe(1);
});

test("what prepares one tier prepares the next, unless it failed", async () => {
  testFile("steady", "");
  const count = () => readFileSync(join(scratch, "prepared"), "utf8").length;
  const prepare = async (exit: number) => {
    const preparations = [["sh", "-c", `printf x >>"${scratch}/prepared"; exit ${exit}`]];
    const step: Step = { kind: "test run", command: [process.execPath, "test"], paths: [files], env: { CI: "" } };
    const tier = { name: "some", about: "", preparations, lacks: () => undefined, steps: () => [step] };
    const output = { say: () => undefined, stdio: "ignore", prefix: [] } as const;
    return (await new TierRun(tier, scratch, true, output).run()).counts;
  };
  const [whole, failed] = [
    { passed: 1, failed: 0, skipped: 0 },
    { passed: 0, failed: 1, skipped: 0 },
  ];
  expect([await prepare(0), await prepare(0), count()]).toEqual([whole, whole, 1]);
  expect([await prepare(1), await prepare(1), count()]).toEqual([failed, failed, 3]);
  expect(timesRun("steady")).toBe(2);
});
