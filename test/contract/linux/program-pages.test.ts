import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ProgramPages } from "../../../src/linux/program-pages.ts";

/** Of this process, in KiB, as the kernel counts it (proc_pid_status(5)). */
function resident(field: "RssFile" | "RssAnon"): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync("/proc/self/status", "latin1"))?.[1]);
}

test("the program's pages are given back, those that it wrote to are not, and it runs on", () => {
  const pages = new ProgramPages();
  const before = { file: resident("RssFile"), anonymous: resident("RssAnon") };
  pages.release();
  const after = { file: resident("RssFile"), anonymous: resident("RssAnon") };
  // A runtime that has started has run tens of megabytes of code; some of that comes back at once.
  expect(after.file).toBeLessThan(0.8 * before.file);
  expect(after.anonymous).toBeGreaterThan(0.9 * before.anonymous);
  for (let i = 0; i < 3; i++) {
    pages.release();
    expect(JSON.parse(JSON.stringify({ text: "ä".repeat(100) }))).toEqual({ text: "ä".repeat(100) });
    expect(Bun.hash("x")).toBe(Bun.hash("x"));
  }
});
