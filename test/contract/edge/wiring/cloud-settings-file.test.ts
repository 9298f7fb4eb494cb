import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CloudSettingsFile } from "../../../../edge/wiring/cloud-settings-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "selvedge-cloud-settings-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("is made with its folder, for root alone, and whole: nothing else is left there", () => {
  const path = join(folder, "state/cloud-settings.yaml");
  const file = new CloudSettingsFile(path);
  expect(file.writtenAt()).toBeUndefined();
  const before = Date.now();
  file.write("log-level: debug\n");
  file.write("log-level: warn\n");
  expect(readFileSync(path, "utf8")).toBe("log-level: warn\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(folder, "state"))).toEqual(["cloud-settings.yaml"]);
  expect(file.writtenAt()).toBeWithin(before - 1000, Date.now() + 1000);
});

test("is another file each time: who reads it meanwhile reads one or the other", () => {
  const path = join(folder, "cloud-settings.yaml");
  const file = new CloudSettingsFile(path);
  file.write("a: 1\n");
  chmodSync(path, 0o644);
  const { ino } = statSync(path);
  file.write("b: 2\n");
  expect(statSync(path).ino).not.toBe(ino);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});
