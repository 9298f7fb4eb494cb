import {
  decodeQdisc,
  encodeIngress,
  encodeQdiscDump,
  encodeRedirect,
  encodeTokenBucket,
  type Qdisc,
  type TokenBucket,
} from "../wire/rtnetlink-qdisc.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";

/** @param route a NETLINK_ROUTE socket, here and below */
export function listQdiscs(route: NetlinkSocket): readonly Qdisc[] {
  return route.request("list queueing disciplines", encodeQdiscDump, decodeQdisc);
}

/** @throws SelvedgeError ENOENT where the kernel has no tbf; EEXIST */
export function addTokenBucket(route: NetlinkSocket, bucket: TokenBucket): void {
  const what = `limit link ${bucket.linkIndex} to ${bucket.bytesPerSecond} bytes a second`;
  route.request(what, (writer, sequence) => encodeTokenBucket(writer, sequence, bucket));
}

/**
 * Lets everything that comes in by a link go out by another one, from where it comes back: so that it can be limited.
 *
 * @param from, to the links' indexes; `to` is an ifb
 * @throws SelvedgeError ENOENT where the kernel has no ingress, u32 or mirred; EEXIST
 */
export function redirectIncoming(route: NetlinkSocket, from: number, to: number): void {
  route.request(`look at what comes in by link ${from}`, (writer, sequence) => encodeIngress(writer, sequence, from));
  const what = `send what comes in by link ${from} through link ${to}`;
  route.request(what, (writer, sequence) => encodeRedirect(writer, sequence, from, to));
}
