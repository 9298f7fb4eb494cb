import { createHash, randomUUID } from "node:crypto";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import type { Executable, Installation, InstallStep, Layout } from "./plan.ts";

/** An executable is as large as the memory of a small node: it is read piece by piece. */
const PIECE_BYTES = 1024 * 1024;

/** The running program. */
export function observeExecutable(): Executable {
  const path = process.execPath;
  return { path, digest: digestOf(path) };
}

export function observeInstallation(layout: Layout): Installation {
  const text = (path: string) => readFileSync(path, "utf8");
  return {
    binaryDigest: ifPresent(layout.binary, digestOf),
    unitText: ifPresent(layout.unit, text),
    charonUnitText: ifPresent(layout.charonUnit, text),
    configPresent: ifPresent(layout.config, text) !== undefined,
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

function ifPresent(path: string, read: (path: string) => string): string | undefined {
  try {
    return read(path);
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

function digestOf(path: string): string {
  const hash = createHash("sha256");
  const piece = Buffer.alloc(PIECE_BYTES);
  const descriptor = openSync(path, "r");
  try {
    for (;;) {
      const length = readSync(descriptor, piece);
      if (length === 0) return hash.digest("hex");
      hash.update(piece.subarray(0, length));
    }
  } finally {
    closeSync(descriptor);
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}
