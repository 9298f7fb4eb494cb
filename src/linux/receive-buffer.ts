import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Ip } from "../base/ip.ts";
import { libc } from "./libc.ts";
import { parseSocketTable } from "./socket-table.ts";

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;

/**
 * Gives this process's UDP sockets of an address and port more room for what has arrived. The runtime does not tell the
 * descriptors of its sockets: they are found by their inodes in /proc.
 *
 * @param bytes as setsockopt takes them: the kernel doubles the number for its own needs. Without CAP_NET_ADMIN it is
 *   what net.core.rmem_max allows.
 * @returns of how many sockets; 0 where /proc cannot be read, which leaves them as they are
 */
export function enlargeReceiveBuffers(address: Ip, port: number, bytes: number): number {
  const value = new Uint8Array(Int32Array.of(bytes).buffer);
  try {
    const descriptors = descriptorsOf(address, port);
    for (const fd of descriptors) {
      const forced = libc().setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value);
      if (forced.value < 0) libc().setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value);
    }
    return descriptors.length;
  } catch {
    return 0;
  }
}

function descriptorsOf(address: Ip, port: number): readonly number[] {
  const file = address.includes(":") ? "udp6" : "udp";
  const sockets = parseSocketTable(readFileSync(`/proc/self/net/${file}`, "latin1"), "UDP");
  const own = sockets.filter((socket) => socket.address === address && socket.port === port);
  const links = new Set(own.map(({ inode }) => `socket:[${inode}]`));
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => links.has(linkOf(fd)));
}

function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ""; // closed meanwhile
  }
}
