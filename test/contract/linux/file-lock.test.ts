import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryLockFile } from "../../../src/linux/file-lock.ts";

test("a lock is somebody's until it is let go, in this program and in others", () => {
  const folder = mkdtempSync(join(tmpdir(), "selvedge-lock-"));
  try {
    const path = join(folder, "lock");
    const others = () => Bun.spawnSync(["flock", "--nonblock", path, "true"]).exitCode;
    const held = tryLockFile(path);
    expect(held).toBeDefined();
    expect(tryLockFile(path)).toBeUndefined();
    expect(others()).toBe(1);
    held?.[Symbol.dispose]();
    expect(others()).toBe(0);
    tryLockFile(path)?.[Symbol.dispose]();
    expect(() => tryLockFile(join(folder, "nowhere/lock"))).toThrow("ENOENT");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
