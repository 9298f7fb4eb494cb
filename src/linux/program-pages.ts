import { readFileSync, readlinkSync } from "node:fs";
import { libc } from "./libc.ts";

/** sys/mman.h */
const MADV_DONTNEED = 4;

interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly permissions: string;
  /** Empty where it is no file's. */
  readonly path: string;
  /** Of pages that are no longer the file's: they were written to. */
  readonly anonymousBytes: number;
}

/**
 * The pages of the program's own file that this process has mapped. Each time that code runs, its pages are mapped, 64 KiB
 * at a time, and stay until the kernel is short of memory, which takes those of other programs first.
 */
export class ProgramPages {
  readonly #mappings: readonly Mapping[];

  /** What was ever written to, as relocations are, is left alone. Where /proc is hidden, everything is. */
  constructor() {
    try {
      const program = readlinkSync("/proc/self/exe");
      this.#mappings = parseMappings(readFileSync("/proc/self/smaps", "latin1")).filter(
        ({ path, permissions, anonymousBytes }) =>
          path === program && !permissions.includes("w") && anonymousBytes === 0,
      );
    } catch {
      this.#mappings = [];
    }
  }

  /** Unmaps them. What is still needed comes back from the kernel's cache, of the rest it decides. */
  release(): void {
    for (const { start, end } of this.#mappings) libc().madvise(start, end - start, MADV_DONTNEED);
  }
}

/** @param text of /proc/PID/smaps, see proc_pid_smaps(5) */
function parseMappings(text: string): readonly Mapping[] {
  const mappings: Mapping[] = [];
  const entries = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) [0-9a-f]+ \S+ \d+ *(.*)\n((?:[A-Z]\w+:.*\n?)*)/gm;
  for (const [, start = "", end = "", permissions = "", path = "", fields = ""] of text.matchAll(entries)) {
    const anonymous = /^Anonymous: +(\d+) kB$/m.exec(fields)?.[1];
    mappings.push({
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      permissions,
      path,
      anonymousBytes: Number(anonymous ?? Number.POSITIVE_INFINITY) * 1024,
    });
  }
  return mappings;
}
