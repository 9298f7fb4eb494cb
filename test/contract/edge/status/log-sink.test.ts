import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "selvedge-log-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

const ROOT = join(import.meta.dir, "../../../..");

/** What a process writes to a stderr that is a file, with JOURNAL_STREAM naming it or not. */
async function logged(program: string, journal: boolean): Promise<readonly string[]> {
  const path = join(directory, "stderr");
  const stderr = openSync(path, "w");
  const { dev, ino } = fstatSync(stderr, { bigint: true });
  const prelude = `
    const { openLogSink } = await import("${ROOT}/edge/status/log-sink.ts");
    const { SteppedClock } = await import("${ROOT}/test/support/stepped-clock.ts");
    const { minutes } = await import("${ROOT}/src/base/duration.ts");
    const clock = new SteppedClock();
    const open = (format) => openLogSink(format, process.env.JOURNAL_STREAM, false, clock);
    const record = (msg) => ({ level: "warn", event: "a.b", msg, fields: {} });`;
  const env = { JOURNAL_STREAM: journal ? `${dev}:${ino}` : `${dev}:1` };
  await Bun.spawn([process.execPath, "-e", prelude + program], { stderr, env }).exited;
  closeSync(stderr);
  return readFileSync(path, "utf8").split("\n");
}

describe("log sink", () => {
  test("in the journal, lines carry a priority", async () => {
    expect(await logged('open("auto")(record("x"));', true)).toEqual(["<4>a.b x", ""]);
  });

  test("a stderr that was redirected away from the journal gets JSON", async () => {
    const [line = ""] = await logged('open("auto")(record("x"));', false);
    expect(JSON.parse(line)).toMatchObject({ level: "warn", event: "a.b", msg: "x" });
  });

  test("a format that was asked for wins", async () => {
    expect((await logged('open("text")(record("x"));', true))[0]).toEndWith(" WARN  a.b x");
  });

  test("repeats are folded into one line a minute", async () => {
    const program = `
      const sink = open("text");
      for (let i = 0; i < 5; i++) sink(record("x"));
      await clock.advance(minutes(1));
      sink(record("x"));`;
    const lines = await logged(program, false);
    expect(lines).toHaveLength(3);
    expect(lines[1]).toEndWith("count=4");
  });

  test("a reader that went away does not stop the process", async () => {
    const program = `
      const { openLogSink } = await import("${ROOT}/edge/status/log-sink.ts");
      const { SteppedClock } = await import("${ROOT}/test/support/stepped-clock.ts");
      const sink = openLogSink("text", undefined, false, new SteppedClock());
      await Bun.stdin.text();
      for (let i = 0; i < 1000; i++) sink({ level: "info", event: "a", msg: String(i), fields: {} });
      process.stdout.write("alive");`;
    const pipeline = `exec 3>&1; { echo | "$0" -e "$1" 2>&1 >&3 3>&-; } | true`;
    const shell = Bun.spawn(["sh", "-c", pipeline, process.execPath, program], { stdout: "pipe" });
    expect(await new Response(shell.stdout).text()).toBe("alive");
  });
});
