import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Counts, formatTable, readTestRun } from "../../../scripts/test-report.ts";

const directory = mkdtempSync(join(tmpdir(), "selvedge-report-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** What is said of a test file that Bun itself has run. */
function countsOf(testFile: string): Counts {
  const report = join(directory, "report.xml");
  rmSync(report, { force: true });
  writeFileSync(join(directory, "some.test.ts"), `import { expect, test } from "bun:test";\n${testFile}`);
  const command = [process.execPath, "test", "--reporter=junit", `--reporter-outfile=${report}`, "./some.test.ts"];
  const { exitCode } = Bun.spawnSync(command, { cwd: directory, env: { ...process.env, CI: "" } });
  return readTestRun(existsSync(report) ? readFileSync(report, "utf8") : undefined, exitCode);
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

test("the table aligns its columns and says why a tier was left out", () => {
  const table = formatTable([
    { name: "unit", counts: { passed: 1234, failed: 0, skipped: 5 }, seconds: 0.25 },
    {
      name: "cluster",
      counts: { passed: 0, failed: 0, skipped: 1 },
      seconds: 0,
      leftOut: "there is no Go on this machine",
    },
  ]);
  expect(table.split("\n")).toEqual([
    "tier     passed  failed  skipped  seconds",
    "unit       1234       0        5      0.3",
    "cluster  left out: there is no Go on this machine",
  ]);
});
