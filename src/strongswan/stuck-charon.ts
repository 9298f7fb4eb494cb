import { readFileSync } from "node:fs";

/** The processes of our own charon's unit, where systemd keeps them: with one hierarchy of control groups, or several. */
const PROCESSES = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd"].map(
  (root) => `${root}/system.slice/selvedge-charon.service/cgroup.procs`,
);

/**
 * Kills our own charon, which its service then starts again: for one that hangs, as charon has no watchdog. A charon that is
 * not our unit's is left alone, an administrator's as well as one in another container.
 *
 * @returns whether there was one
 */
export function killOwnCharon(): boolean {
  const pids = PROCESSES.flatMap(numbersIn);
  let killed = false;
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
      killed = true;
    } catch {
      // It has just ended.
    }
  }
  return killed;
}

function numbersIn(path: string): readonly number[] {
  try {
    return (readFileSync(path, "latin1").match(/^[1-9]\d*$/gm) ?? []).map(Number);
  } catch {
    return [];
  }
}
