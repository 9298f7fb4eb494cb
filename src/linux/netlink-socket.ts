import { SelvedgeError } from "../base/errors.ts";
import type { DecodeError, Result } from "../base/result.ts";
import {
  decodeAck,
  decodeMessages,
  type NetlinkAck,
  type NetlinkMessage,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "../wire/netlink.ts";
import { NetlinkWriter } from "../wire/netlink-writer.ts";
import { systemError } from "./errno.ts";
import { type CallResult, libc } from "./libc.ts";

/** linux/netlink.h */
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;

const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;

const EINTR = 4;
const EAGAIN = 11;
const ENOBUFS = 105;

/** struct sockaddr_nl of the kernel: family, padding, port 0, no groups. */
const KERNEL = Uint8Array.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

/** The kernel builds datagrams of 32 KiB at most for a dump (netlink_dump in af_netlink.c). */
const DATAGRAM_LIMIT = 64 * 1024;
/** Holds some thousand error acknowledgements of one failed batch. */
const REQUEST_RECEIVE_BUFFER = 4 * 1024 * 1024;
/** Entries of one dump: four times the largest conntrack table that we have seen configured. */
const DUMP_LIMIT = 1_000_000;
/** A table that changes faster than we read it five times in a row is read by the next reconciliation. */
const DUMP_ATTEMPTS = 5;

export type EncodeRequest = (writer: NetlinkWriter, sequence: number) => void;
/** Undefined leaves an entry out. */
export type DecodeReply<T> = (message: NetlinkMessage) => Result<T | undefined, DecodeError>;

/** Opens, binds and subscribes a non-blocking socket. @returns its descriptor, owned by the caller */
export function openNetlink(protocol: number, groups: readonly number[], receiveBufferBytes: number): number {
  const opened = libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  const fd = checked(opened, `open netlink socket ${protocol}`);
  try {
    setBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, receiveBufferBytes);
    // Old kernels lack one or another: what they improve is then missing, and nothing else.
    for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK]) setOption(fd, SOL_NETLINK, option, 1);
    if (protocol === NETLINK_ROUTE) setOption(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    checked(libc().bind(fd, KERNEL), `bind netlink socket ${protocol}`);
    for (const group of groups) {
      checked(setOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group), `join netlink group ${protocol}.${group}`);
    }
  } catch (error) {
    libc().close(fd);
    throw error;
  }
  return fd;
}

/**
 * Requests to the kernel. rtnetlink and nfnetlink work a request off inside `sendto`: when it returns, the answer, or
 * the first part of a dump, lies in the receive buffer, and reading on makes the next part. So nothing here waits.
 */
export class NetlinkSocket {
  readonly #fd: number;
  readonly #writer = new NetlinkWriter();
  readonly #buffer = new Uint8Array(DATAGRAM_LIMIT);
  #sendBufferBytes = 0;
  #sequence = 0;
  #port = 0;
  #closed = false;

  constructor(protocol: number) {
    this.#fd = openNetlink(protocol, [], REQUEST_RECEIVE_BUFFER);
  }

  /** The kernel's name for this socket, which events of its own changes carry; 0 before the first answer. */
  get port(): number {
    return this.#port;
  }

  /** A number for the header of the next message. */
  nextSequence(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }

  /**
   * Sends one request and reads everything up to its acknowledgement or the end of its dump.
   *
   * @param what completes "Cannot …" when it fails
   * @param encode writes the one message, with NLM_F_ACK or NLM_F_DUMP
   * @param decode of the messages that the kernel sends before the acknowledgement
   * @throws SelvedgeError with an errno's name as its code; NETLINK_INTERRUPTED, NETLINK_ANSWER
   */
  request<T = never>(what: string, encode: EncodeRequest, decode?: DecodeReply<T>): T[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const sequence = this.nextSequence();
      this.#writer.reset();
      encode(this.#writer, sequence);
      this.#send(what, this.#writer.bytes());
      const entries = this.#collect(what, sequence, decode);
      if (entries !== undefined) return entries;
    }
    throw new SelvedgeError(`Cannot ${what} as the table keeps changing: it was read ${DUMP_ATTEMPTS} times`, {
      code: "NETLINK_INTERRUPTED",
      blame: "host",
      retry: "now",
    });
  }

  /**
   * Sends a batch of messages, of any size, in one go.
   *
   * @returns every acknowledgement: of failures, and of messages that asked for one with NLM_F_ACK. Ask for one at
   * least, to know that the batch was worked off.
   * @throws SelvedgeError ENOBUFS when so many messages failed that answers were lost
   */
  transact(what: string, batch: Uint8Array): readonly NetlinkAck[] {
    this.#send(what, batch);
    const acks: NetlinkAck[] = [];
    for (;;) {
      const messages = this.#receive(what);
      if (messages === undefined) return acks;
      for (const message of messages) {
        if (message.type === NLMSG_ERROR) acks.push(checkedAnswer(what, decodeAck(message)));
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    libc().close(this.#fd);
  }

  #send(what: string, data: Uint8Array): void {
    // A message has to fit the send buffer in whole; the kernel counts 32 bytes of its own.
    if (data.length + 32 > this.#sendBufferBytes) {
      this.#sendBufferBytes = Math.max(64 * 1024, 2 * data.length);
      setBuffer(this.#fd, SO_SNDBUFFORCE, SO_SNDBUF, this.#sendBufferBytes);
    }
    checked(libc().sendto(this.#fd, data, 0, KERNEL), what);
  }

  /** @returns undefined when the dump was interrupted by a change of its table */
  #collect<T>(what: string, sequence: number, decode: DecodeReply<T> | undefined): T[] | undefined {
    const entries: T[] = [];
    let interrupted = false;
    let failure: SelvedgeError | undefined;
    for (;;) {
      const messages = this.#receive(what);
      if (messages === undefined) throw answerError(what, "it did not answer");
      for (const message of messages) {
        // What an earlier request left behind when it failed half-way.
        if (message.sequence !== sequence) continue;
        this.#port = message.port;
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const ack = checkedAnswer(what, decodeAck(message));
          if (ack.errno === EINTR) return undefined;
          if (ack.errno !== 0) throw systemError(what, ack.errno, ack.text);
          if (failure !== undefined) throw failure;
          return interrupted ? undefined : entries;
        }
        // After a failure the rest is still read, so that the next request starts clean.
        if (decode === undefined || failure !== undefined) continue;
        const entry = decode(message);
        if (!entry.ok) failure = answerError(what, `${entry.error.why}, at ${entry.error.at}`);
        else if (entries.length === DUMP_LIMIT)
          failure = answerError(what, `there are more than ${DUMP_LIMIT} entries`);
        else if (entry.value !== undefined) entries.push(entry.value);
      }
    }
  }

  /** @returns the messages of one datagram, valid until the next call; undefined when there is none */
  #receive(what: string): readonly NetlinkMessage[] | undefined {
    for (;;) {
      const { value, errno } = libc().recv(this.#fd, this.#buffer, MSG_DONTWAIT | MSG_TRUNC);
      if (errno === EINTR) continue;
      if (errno === EAGAIN) return undefined;
      if (errno === ENOBUFS) throw systemError(what, errno, "the receive buffer overflowed and answers were lost");
      if (errno !== 0) throw systemError(what, errno);
      if (value > DATAGRAM_LIMIT) throw answerError(what, `a datagram has ${value} bytes`);
      return checkedAnswer(what, decodeMessages(this.#buffer.subarray(0, value)));
    }
  }
}

function checked(result: CallResult, what: string): number {
  if (result.value < 0) throw systemError(what, result.errno);
  return result.value;
}

function checkedAnswer<T>(what: string, result: Result<T, DecodeError>): T {
  if (!result.ok) throw answerError(what, `${result.error.why}, at ${result.error.at}`);
  return result.value;
}

function answerError(what: string, why: string): SelvedgeError {
  return new SelvedgeError(`Cannot ${what} as the kernel's answer is not understood: ${why}`, {
    code: "NETLINK_ANSWER",
    blame: "host",
    retry: "later",
    hint: "Report this with `uname -r`: the kernel speaks a netlink that this version does not know.",
  });
}

function setOption(fd: number, level: number, option: number, value: number): CallResult {
  return libc().setsockopt(fd, level, option, new Uint8Array(Int32Array.of(value).buffer));
}

/** Without CAP_NET_ADMIN the size is what the system's limit allows: enough for reading. */
function setBuffer(fd: number, force: number, plain: number, bytes: number): void {
  if (setOption(fd, SOL_SOCKET, force, bytes).value < 0) setOption(fd, SOL_SOCKET, plain, bytes);
}
