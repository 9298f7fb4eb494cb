import { readFileSync } from "node:fs";

/** USER_HZ, on every architecture (proc_pid_stat(5)). */
const TICKS_A_SECOND = 100;

/** What a process has had of the processor until now, in user and in kernel mode. */
export function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}
