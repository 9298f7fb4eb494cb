import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { cpuSecondsOf } from "../support/process-usage.ts";

/** What a running process holds of the machine, as the kernel counts it (proc(5)). */
export interface ProcessSample {
  readonly residentBytes: number;
  /** Of this, what is no file's: the kernel cannot take it back. */
  readonly anonymousBytes: number;
  /** Each page divided by the number of processes that share it. */
  readonly proportionalBytes: number;
  readonly threads: number;
  readonly descriptors: number;
  readonly sockets: number;
  readonly netlinkSockets: number;
  readonly cpuSeconds: number;
}

export function sampleProcess(pid: number): ProcessSample {
  const status = readProc(pid, "status");
  const links = openFiles(pid);
  const sockets = links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
  const netlink = new Set(
    readProc(pid, "net/netlink")
      .split("\n")
      .map((line) => line.trim().split(/\s+/).at(-1)),
  );
  return {
    residentBytes: bytesOf(status, "VmRSS"),
    anonymousBytes: bytesOf(status, "RssAnon"),
    proportionalBytes: bytesOf(readProc(pid, "smaps_rollup"), "Pss"),
    threads: Number(/^Threads:\s+(\d+)/m.exec(status)?.[1]),
    descriptors: links.length,
    sockets: sockets.length,
    netlinkSockets: sockets.filter((inode) => netlink.has(inode)).length,
    cpuSeconds: cpuSecondsOf(pid),
  };
}

/** The kernel's own memory for all network namespaces and everything else: a machine has only one figure. */
export function slabBytes(): number {
  return bytesOf(readFileSync("/proc/meminfo", "utf8"), "Slab");
}

function bytesOf(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) * 1024;
}

function readProc(pid: number, file: string): string {
  return readFileSync(`/proc/${pid}/${file}`, "utf8");
}

function openFiles(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).map((entry) => {
    try {
      return readlinkSync(`${folder}/${entry}`);
    } catch {
      return "closed meanwhile";
    }
  });
}
