import { readFileSync } from "node:fs";

/** What a process gets where nobody has said otherwise (include/asm-generic/resource.h). */
const USUAL_DESCRIPTORS = 1024;

/** How many descriptors this process may have open: RLIMIT_NOFILE, the soft one. */
export function observeDescriptorLimit(): number {
  try {
    return parseDescriptorLimit(readFileSync("/proc/self/limits", "latin1")) ?? USUAL_DESCRIPTORS;
  } catch {
    return USUAL_DESCRIPTORS; // /proc may be hidden
  }
}

/** @param limits the text of /proc/self/limits, see proc_pid_limits(5) */
export function parseDescriptorLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+|unlimited)\s/m.exec(limits)?.[1];
  if (soft === "unlimited") return Number.POSITIVE_INFINITY;
  return soft === undefined ? undefined : Number(soft);
}
