import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Counts,
  countsAfterSecondTry,
  formatFailure,
  formatSlowest,
  formatTable,
  type RunDetails,
  readRunDetails,
  readTestRun,
} from "../../../scripts/test-report.ts";

const directory = mkdtempSync(join(tmpdir(), "selvedge-report-"));
afterAll(() => rmSync(directory, { recursive: true }));

const NO_DETAILS: RunDetails = { files: [], failures: [] };

/** Of a test file that Bun itself has run. */
function reportOf(testFile: string): { readonly text: string | undefined; readonly exitCode: number } {
  const report = join(directory, "report.xml");
  rmSync(report, { force: true });
  writeFileSync(join(directory, "some.test.ts"), `import { expect, test } from "bun:test";\n${testFile}`);
  const command = [process.execPath, "test", "--reporter=junit", `--reporter-outfile=${report}`, "./some.test.ts"];
  const { exitCode } = Bun.spawnSync(command, { cwd: directory, env: { ...process.env, CI: "" } });
  return { text: existsSync(report) ? readFileSync(report, "utf8") : undefined, exitCode };
}

function countsOf(testFile: string): Counts {
  const { text, exitCode } = reportOf(testFile);
  return readTestRun(text, exitCode);
}

describe("the counts of a test run", () => {
  test("are those of its tests", () => {
    const file = `test("a", () => {}); test("b", () => expect(1).toBe(2)); test.skipIf(true)("c", () => {}); test("d", () => {});`;
    expect(countsOf(file)).toEqual({ passed: 2, failed: 1, skipped: 1 });
  });

  test("show a run that ends in the middle of a test as failed", () => {
    expect(countsOf(`test("a", () => process.exit(0)); test("b", () => {});`).failed).toBe(1);
    expect(countsOf(`test("a", () => process.kill(process.pid, "SIGKILL"));`).failed).toBe(1);
  });

  test("show a file that does not load as failed", () => {
    expect(countsOf(`import "./nothing.ts";`).failed).toBe(1);
  });

  test("show a run without a test as failed", () => {
    expect(countsOf("expect(1).toBe(1);").failed).toBe(1);
  });

  test("show a failure outside of every test as failed", () => {
    expect(
      countsOf(
        `import { afterAll } from "bun:test"; test("a", () => {}); afterAll(() => { throw new Error("late"); });`,
      ).failed,
    ).toBe(1);
  });
});

test("the details of a run name each file with its time, and each test that failed with its groups", () => {
  const file = `import { describe } from "bun:test";
    test("fine", () => {});
    describe("a group", () => {
      test("a <strange> one", () => expect(1).toBe(2));
      test("slow", async () => Bun.sleep(20));
    });
    test("alone", () => { throw new Error("no"); });`;
  const { files, failures } = readRunDetails(reportOf(file).text ?? "");
  expect(failures.map(formatFailure)).toEqual(["some.test.ts: a group > a <strange> one", "some.test.ts: alone"]);
  expect(files.map((one) => one.file)).toEqual(["some.test.ts"]);
  expect(files[0]?.seconds).toBeGreaterThan(0.02);
});

test("a second try counts what passes then, and only what fails again as failed", () => {
  const first = { passed: 10, failed: 3, skipped: 1 };
  expect(countsAfterSecondTry(first, { passed: 8, failed: 0, skipped: 0 })).toEqual({
    ...first,
    passed: 13,
    failed: 0,
  });
  expect(countsAfterSecondTry(first, { passed: 6, failed: 2, skipped: 0 })).toEqual({
    ...first,
    passed: 11,
    failed: 2,
  });
  expect(countsAfterSecondTry(first, { passed: 0, failed: 4, skipped: 0 })).toEqual({ ...first, failed: 4 });
});

test("the slowest ten files come in the order of their times", () => {
  const files = Array.from({ length: 12 }, (_, i) => ({ file: `f${i}`, seconds: (i * 7) % 12 }));
  const lines = formatSlowest(files).split("\n");
  expect(lines).toHaveLength(10);
  expect([lines[0], lines[9]]).toEqual(["   11.0 s  f5", "    2.0 s  f2"]);
});

test("the table aligns its columns and says why a tier was left out", () => {
  const table = formatTable([
    { name: "unit", counts: { passed: 1234, failed: 0, skipped: 5 }, seconds: 0.25, details: NO_DETAILS, unsteady: [] },
    {
      name: "cluster",
      counts: { passed: 0, failed: 0, skipped: 1 },
      seconds: 0,
      details: NO_DETAILS,
      unsteady: [],
      leftOut: "there is no Go on this machine",
    },
  ]);
  expect(table.split("\n")).toEqual([
    "tier     passed  failed  skipped  seconds",
    "unit       1234       0        5      0.3",
    "cluster  left out: there is no Go on this machine",
  ]);
});
