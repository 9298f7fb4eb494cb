import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROCESS_IO = join(import.meta.dir, "../../../../edge/cli/process-io.ts");

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "selvedge-streams-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

test.each([
  ["out", ">>"],
  ["err", "2>>"],
] as const)("nothing to say on %s leaves the file that a shell appends it to", (stream, redirection) => {
  const [program, report] = [join(directory, "program.ts"), join(directory, "report")];
  writeFileSync(
    program,
    `import { processIo } from "${PROCESS_IO}";
    for (const text of ["", "new\\n", ""]) await processIo().${stream}(text);`,
  );
  writeFileSync(report, "old\n");
  const { exitCode } = Bun.spawnSync(["sh", "-c", `${process.execPath} ${program} ${redirection} ${report}`]);
  expect(exitCode).toBe(0);
  expect(readFileSync(report, "utf8")).toBe("old\nnew\n");
});
