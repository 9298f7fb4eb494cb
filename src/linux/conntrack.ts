import type { Family } from "../base/ip.ts";
import { type ConntrackEntry, decodeConntrack, encodeConntrackDelete, encodeConntrackDump } from "../wire/conntrack.ts";
import { NetlinkWriter } from "../wire/netlink-writer.ts";
import { systemError } from "./errno.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";
import { readSysctl } from "./sysctl.ts";

export const IPPROTO_UDP = 17;

const ENOENT = 2;
/** So many acknowledgements fit the receive buffer several times over. */
const DELETIONS_PER_BATCH = 1000;

/** @param netfilter a NETLINK_NETFILTER socket, here and below */
export function listConntrack(netfilter: NetlinkSocket, family: Family, protocol: number): readonly ConntrackEntry[] {
  return netfilter.request(
    `list IPv${family} connections of protocol ${protocol}`,
    (writer, sequence) => encodeConntrackDump(writer, sequence, family, protocol),
    (message) => decodeConntrack(message, protocol),
  );
}

/** The next packet of each makes a new entry, and so a new choice of endpoint. @returns how many were still there */
export function deleteConntrack(netfilter: NetlinkSocket, entries: readonly ConntrackEntry[]): number {
  const writer = new NetlinkWriter();
  let deleted = 0;
  for (let i = 0; i < entries.length; i += DELETIONS_PER_BATCH) {
    writer.reset();
    const batch = entries.slice(i, i + DELETIONS_PER_BATCH);
    for (const entry of batch) encodeConntrackDelete(writer, netfilter.nextSequence(), entry);
    for (const ack of netfilter.transact("delete connections", writer.bytes())) {
      if (ack.errno === 0) deleted += 1;
      else if (ack.errno !== ENOENT) throw systemError("delete connections", ack.errno, ack.text);
    }
  }
  return deleted;
}

export interface ConntrackUse {
  readonly count: number;
  /** When the table is full, packets of new connections are dropped; 0 is no limit. */
  readonly limit: number;
}

/** @returns undefined where the kernel tracks no connections */
export function readConntrackUse(): ConntrackUse | undefined {
  const count = readSysctl("net/netfilter/nf_conntrack_count");
  const limit = readSysctl("net/netfilter/nf_conntrack_max");
  return count === undefined || limit === undefined ? undefined : { count: Number(count), limit: Number(limit) };
}
