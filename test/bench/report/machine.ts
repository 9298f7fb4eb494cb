import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";

/** What the figures were taken on. */
export interface Machine {
  readonly kernel: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly bun: string;
  readonly commit: string;
  readonly date: string;
  /** Of the last minute, at the end: more than the benchmark's own programs need is somebody else's noise. */
  readonly loadAverage: number;
}

export function readMachine(): Machine {
  const git = Bun.spawnSync(["git", "describe", "--always", "--dirty"], { cwd: join(import.meta.dir, "../../..") });
  const list = cpus();
  return {
    kernel: release(),
    processor: list[0]?.model ?? "unknown",
    cores: list.length,
    memoryBytes: totalmem(),
    bun: Bun.version,
    commit: git.stdout.toString().trim(),
    date: new Date().toISOString(),
    loadAverage: loadavg()[0] ?? Number.NaN,
  };
}

export function describeMachine(machine: Machine): string {
  const { processor, cores, kernel, bun, commit, date } = machine;
  return `${processor}, ${cores} cores · Linux ${kernel} · Bun ${bun} · ${commit} · ${date.slice(0, 16).replace("T", " ")} UTC`;
}
