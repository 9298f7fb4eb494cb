import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const SOCKET_TABLES = ["udp", "udp6", "tcp", "tcp6"];
/** st in /proc/net/tcp (linux/include/net/tcp_states.h); UDP sockets that are bound stand as TCP_CLOSE. */
const LISTENING = new Set(["0A", "07"]);

/** The names of the programs that hold a port, as far as /proc lets us see: for a hint to a person. */
export function observePortHolders(port: number): readonly string[] {
  const inodes = new Set(SOCKET_TABLES.flatMap((table) => socketInodes(readText(`/proc/net/${table}`), port)));
  const names = new Set<string>();
  for (const pid of list("/proc").filter((entry) => /^\d+$/.test(entry))) {
    if (inodes.size === 0) break;
    const holds = list(`/proc/${pid}/fd`).some((fd) => inodes.has(socketInode(`/proc/${pid}/fd/${fd}`)));
    if (holds) names.add(readText(`/proc/${pid}/comm`).trim());
  }
  return [...names].sort();
}

/** Columns of proc(5): sl, local address:port, remote, st, queues, timer, retransmits, uid, time-out, inode. */
function socketInodes(table: string, port: number): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state = "", , , , , , inode = ""] = line.trim().split(/\s+/);
    return local.endsWith(`:${hexPort}`) && LISTENING.has(state) ? [inode] : [];
  });
}

function socketInode(path: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1] ?? "";
  } catch {
    return "";
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
