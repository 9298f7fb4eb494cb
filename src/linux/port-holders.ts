import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type ListeningSocket, parseSocketTable } from "./socket-table.ts";

export interface PortHolder extends ListeningSocket {
  /** Undefined where we may not look into the process. */
  readonly pid: number | undefined;
  readonly program: string | undefined;
}

/** Who waits for callers on a port of this network namespace, as far as /proc lets us see. */
export function observePortHolders(port: number): readonly PortHolder[] {
  const tables = [
    ["udp", "UDP"],
    ["udp6", "UDP"],
    ["tcp", "TCP"],
    ["tcp6", "TCP"],
  ] as const;
  const sockets: readonly ListeningSocket[] = tables
    .flatMap(([file, protocol]) => parseSocketTable(readOrEmpty(`/proc/net/${file}`), protocol))
    .filter((socket) => socket.port === port);
  const owners = sockets.length === 0 ? new Map<string, number>() : ownersOf(new Set(sockets.map((s) => s.inode)));
  return sockets.map((socket) => {
    const pid = owners.get(socket.inode);
    const program = pid === undefined ? "" : readOrEmpty(`/proc/${pid}/comm`).trim();
    return { ...socket, pid, program: program === "" ? undefined : program };
  });
}

/** Processes come and go while we look: what cannot be read is left out. */
function ownersOf(inodes: ReadonlySet<string>): ReadonlyMap<string, number> {
  const owners = new Map<string, number>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    let descriptors: readonly string[] = [];
    try {
      descriptors = readdirSync(`/proc/${pid}/fd`);
    } catch {
      continue;
    }
    for (const descriptor of descriptors) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOrEmpty(`/proc/${pid}/fd/${descriptor}`))?.[1];
      if (inode !== undefined && inodes.has(inode)) owners.set(inode, Number(pid));
    }
  }
  return owners;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function linkOrEmpty(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
