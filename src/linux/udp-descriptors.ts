import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Ip } from "../base/ip.ts";
import { parseSocketTable } from "./socket-table.ts";

/**
 * This process's UDP sockets of an address and port. The runtime does not tell the descriptors of its sockets: they are
 * found by their inodes in /proc.
 *
 * @returns their numbers, which whoever opened them may close; none where /proc cannot be read
 */
export function observeUdpDescriptors(address: Ip, port: number): readonly number[] {
  try {
    const file = address.includes(":") ? "udp6" : "udp";
    const sockets = parseSocketTable(readFileSync(`/proc/self/net/${file}`, "latin1"), "UDP");
    const own = sockets.filter((socket) => socket.address === address && socket.port === port);
    const links = new Set(own.map(({ inode }) => `socket:[${inode}]`));
    return readdirSync("/proc/self/fd")
      .map(Number)
      .filter((fd) => links.has(linkOf(fd)));
  } catch {
    return [];
  }
}

function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ""; // closed meanwhile
  }
}
