import { readFileSync } from "node:fs";

/** Of the clock that proc(5) counts in: USER_HZ, 100 on every Linux. */
const TICKS_PER_SECOND = 100;

/** What a process took of the processors so far, all threads together: utime and stime of proc(5). */
export function cpuSecondsOf(pid: number): number {
  // The name in front may have blanks.
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function residentBytesOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) * 1024;
}
