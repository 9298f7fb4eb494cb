import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfFolder } from "../../../../edge/pod/conf-folder.ts";

let path: string;
let folder: ConfFolder;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "selvedge-conf-"));
  folder = new ConfFolder(path, "pods.conflist");
});
afterEach(() => rmSync(path, { recursive: true }));

test("a file is written once, and again where something else stands there", () => {
  expect([folder.write("{}"), folder.write("{}"), folder.write("{ }")]).toEqual([true, false, true]);
  expect(readdirSync(path)).toEqual(["pods.conflist"]);
  expect(readFileSync(folder.file, "utf8")).toBe("{ }");
});

test("a disk that stays full costs no descriptor each time, and leaves what was there", () => {
  folder.write("{}");
  const descriptors = () => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  for (let i = 0; i < 3; i++) {
    symlinkSync("/dev/full", join(path, ".pods.conflist.new"));
    expect(() => folder.write("{ }")).toThrow("ENOSPC");
  }
  expect(descriptors()).toBe(before);
  expect(readdirSync(path)).toEqual(["pods.conflist"]);
  expect(readFileSync(folder.file, "utf8")).toBe("{}");
});
