import { createHash, randomUUID } from "node:crypto";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import type { Executable, Installation, InstallStep, Layout } from "./plan.ts";

/** The running program. */
export function observeExecutable(): Executable {
  const path = process.execPath;
  return { path, digest: digestOf(readFileSync(path)) };
}

export function observeInstallation(layout: Layout): Installation {
  const binary = readIfPresent(layout.binary);
  return {
    binaryDigest: binary === undefined ? undefined : digestOf(binary),
    unitText: readIfPresent(layout.unit)?.toString("utf8"),
    configPresent: readIfPresent(layout.config) !== undefined,
  };
}

/**
 * Every file comes whole or not at all, also when the power goes; a running agent keeps the executable that it has.
 *
 * @throws SelvedgeError INSTALL_FAILED
 */
export function applyInstall(steps: readonly InstallStep[]): void {
  for (const step of steps) {
    if (step.kind === "keep") continue;
    const fresh = `${step.path}.${randomUUID()}`;
    try {
      mkdirSync(dirname(step.path), { recursive: true });
      if (step.kind === "copy") copyFileSync(step.from, fresh);
      else writeFileSync(fresh, step.text);
      chmodSync(fresh, step.mode);
      sync(fresh);
      renameSync(fresh, step.path);
      sync(dirname(step.path));
    } catch (error) {
      rmSync(fresh, { force: true });
      throw new SelvedgeError(`Cannot install ${step.path}: ${errorCode(error)}`, {
        code: "INSTALL_FAILED",
        blame: "host",
        retry: "never",
        hint: "Run it as root, on a file system that is writable and has 120 MB free.",
        cause: error,
      });
    }
  }
}

function readIfPresent(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw new SelvedgeError(`Cannot read ${path}: ${errorCode(error)}`, {
      code: "INSTALL_FAILED",
      blame: "host",
      retry: "never",
      hint: "Run it as root.",
      cause: error,
    });
  }
}

function digestOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}
