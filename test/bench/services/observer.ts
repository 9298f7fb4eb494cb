import { planSets, TABLE } from "../../../edge/service/ruleset.ts";
import { NETLINK_NETFILTER, openNetlink } from "../../../src/linux/netlink-socket.ts";
import { Nftables } from "../../../src/linux/nftables.ts";
import { decodeMessages } from "../../../src/wire/netlink.ts";
import { NFNLGRP_NFTABLES, NftMessage, nftMessageOf } from "../../../src/wire/nftables.ts";
import { AF_PACKET, close, MSG_DONTWAIT, monotonicSeconds, must, readable, recv, SOCK_RAW, socket } from "./native.ts";
import { serveStation } from "./station.ts";

export type Layout = "selvedge" | "kube-proxy";

/** A transaction that was seen in the kernel. */
export interface Commit {
  readonly generation: number;
  /** On the machine's monotonic clock. */
  readonly seenAt: number;
  /** How many endpoints the kernel had then. */
  readonly endpoints: number;
}

export interface Change {
  /** When the first packet of the event came in. */
  readonly eventAt: number;
  /** When the transaction was there that has the address. */
  readonly committedAt: number;
}

/**
 * Looks at the kernel of a node from beside whatever program writes to it. It is the same for all programs, and touches
 * none of them.
 */
export interface ObserverCommands {
  /** From now on asks the kernel for the number of its last transaction, about every millisecond. */
  readonly watch: { readonly argument: Layout; readonly answer: null };
  readonly commits: { readonly argument: null; readonly answer: readonly Commit[] };
  readonly unwatch: { readonly argument: null; readonly answer: readonly Commit[] };
  readonly generation: { readonly argument: null; readonly answer: number };
  /** Opens its eyes: what comes from now on is not missed. */
  readonly listen: { readonly argument: null; readonly answer: null };
  /**
   * Waits for a transaction that brings this address, IPv4. After `listen`, and before the change is written.
   *
   * @returns null where we came too late to see one before the other: on a busy machine
   */
  readonly change: { readonly argument: ChangeExpected; readonly answer: Change | null };
}

export interface ChangeExpected {
  readonly address: string;
  /** Events come from here. */
  readonly sourcePort: number;
  readonly timeoutSeconds: number;
}

const ETH_P_IP = 0x0800;
/** The greatest packet, and the greatest datagram of netlink events. */
const BUFFER_BYTES = 128 * 1024;
/** A TLS record of an event has some hundred bytes; an acknowledgement none. */
const LEAST_EVENT_BYTES = 100;
const EVENT_BUFFER_BYTES = 4 * 1024 * 1024;

/** So that the deadline is looked at. */
const POLL_MILLISECONDS = 100;

const nft = new Nftables();
const buffer = Buffer.alloc(BUFFER_BYTES);
let commits: Commit[] = [];
let timer: Timer | undefined;
let eyes: { readonly events: number; readonly packets: number } | undefined;

function watch(layout: Layout): null {
  commits = [];
  let last = nft.generation();
  timer = setInterval(() => {
    const generation = nft.generation();
    if (generation === last) return;
    const seenAt = monotonicSeconds();
    last = generation;
    commits.push({ generation, seenAt, endpoints: countEndpoints(layout) });
  }, 1);
  return null;
}

function unwatch(): readonly Commit[] {
  clearInterval(timer);
  return commits;
}

/** kube-proxy has a chain for each endpoint of each service; selvedge an element. */
function countEndpoints(layout: Layout): number {
  if (layout === "kube-proxy") {
    return nft.chains(4, "kube-proxy").filter((name) => name.startsWith("endpoint-")).length;
  }
  const { endpoints } = planSets(4);
  // The kernel says ENOENT to the sets of a table that is not there.
  if (!nft.tables().some((table) => table.family === 4 && table.name === TABLE)) return 0;
  return nft.sets(4, TABLE).includes(endpoints.name) ? nft.elements(4, TABLE, endpoints).length : 0;
}

function listen(): null {
  eyes = {
    events: openNetlink(NETLINK_NETFILTER, [NFNLGRP_NFTABLES], EVENT_BUFFER_BYTES),
    packets: openPacketSocket(),
  };
  return null;
}

/** The layouts differ, but an address in a rule or an element is four bytes in the kernel's event in both. */
function awaitChange({ address, sourcePort, timeoutSeconds }: ChangeExpected): Change | null {
  if (eyes === undefined) throw new Error("Cannot see a change without listening first");
  const { events, packets } = eyes;
  try {
    const wanted = Buffer.from(address.split(".").map(Number));
    const deadline = monotonicSeconds() + timeoutSeconds;
    let eventAt: number | undefined;
    let brought = false;
    let late = true;
    while (monotonicSeconds() < deadline) {
      readable([events, packets], eventAt === undefined && late ? 0 : POLL_MILLISECONDS);
      const now = monotonicSeconds();
      for (const frame of received(packets)) {
        if (payloadBytes(frame, sourcePort) >= LEAST_EVENT_BYTES) eventAt ??= now;
      }
      for (const datagram of received(events)) {
        brought ||= datagram.includes(wanted);
        if (!brought || !endsTransaction(datagram)) continue;
        if (late || eventAt === now) return null;
        if (eventAt === undefined) throw new Error(`Cannot tell when the event of ${address} came: no packet was seen`);
        return { eventAt, committedAt: now };
      }
      late &&= eventAt !== undefined;
    }
    throw new Error(`Cannot see ${address} in the kernel within ${timeoutSeconds} s`);
  } finally {
    close(events);
    close(packets);
    eyes = undefined;
  }
}

/** What lies ready, each a view that the next one overwrites. */
function* received(fd: number): Generator<Buffer> {
  for (;;) {
    const size = recv(fd, buffer, buffer.length, MSG_DONTWAIT);
    if (size <= 0) return;
    yield buffer.subarray(0, size);
  }
}

function openPacketSocket(): number {
  const protocol = ((ETH_P_IP & 255) << 8) | (ETH_P_IP >> 8);
  return must(socket(AF_PACKET, SOCK_RAW, protocol), "open a packet socket");
}

/** Of TCP over IPv4 over Ethernet from the port, otherwise 0. */
function payloadBytes(frame: Buffer, sourcePort: number): number {
  const [ethernet, tcp] = [14, 6];
  if (frame.length < ethernet + 40 || frame.readUInt16BE(12) !== ETH_P_IP || frame[ethernet + 9] !== tcp) return 0;
  const ipHeader = ((frame[ethernet] ?? 0) & 15) * 4;
  const segment = ethernet + ipHeader;
  if (frame.readUInt16BE(segment) !== sourcePort) return 0;
  const tcpHeader = ((frame[segment + 12] ?? 0) >> 4) * 4;
  return frame.readUInt16BE(ethernet + 2) - ipHeader - tcpHeader;
}

/** NEWGEN is the last message of a transaction. */
function endsTransaction(datagram: Uint8Array): boolean {
  const messages = decodeMessages(datagram);
  return messages.ok && messages.value.some((message) => nftMessageOf(message.type) === NftMessage.newGeneration);
}

if (import.meta.main) {
  await serveStation<ObserverCommands>({
    watch,
    commits: () => commits,
    unwatch,
    generation: () => nft.generation(),
    listen,
    change: awaitChange,
  });
}
