import { ptr } from "bun:ffi";
import { DATAGRAM_LIMIT } from "./held-socket.ts";
import { libc } from "./libc.ts";
import { AF_INET, decodeSocketAddress, type InetAddress, SOCKADDR_IN6_BYTES } from "./socket-address.ts";

/** Of one system call: with more of them a datagram gets hardly cheaper, and others wait longer. */
export const BATCH_DATAGRAMS = 32;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EAGAIN = 11;

/** struct mmsghdr of recvmmsg(2), on 64 bits: struct msghdr (name, vector, control, flags), then the length as u32. */
const HEADER_BYTES = 64;
const NAME = 0;
const NAME_LENGTH = 8;
const VECTOR = 16;
const VECTOR_COUNT = 24;
const FLAGS = 48;
const LENGTH = 56;
/** struct iovec: address and length. */
const VECTOR_BYTES = 16;
const VECTOR_LENGTH = 8;
/** Of a sender's address, aligned. */
const NAME_BYTES = 32;

const HEADERS_IN = 0;
const HEADERS_OUT = HEADERS_IN + BATCH_DATAGRAMS * HEADER_BYTES;
const VECTORS_IN = HEADERS_OUT + BATCH_DATAGRAMS * HEADER_BYTES;
const VECTORS_OUT = VECTORS_IN + BATCH_DATAGRAMS * VECTOR_BYTES;
const NAMES = VECTORS_OUT + BATCH_DATAGRAMS * VECTOR_BYTES;
const RECEIVED = NAMES + BATCH_DATAGRAMS * NAME_BYTES;
const ANSWERS = RECEIVED + BATCH_DATAGRAMS * DATAGRAM_LIMIT;

/**
 * Datagrams of a UDP socket, many in one system call and without an object for each sender: they are read into memory
 * that stays, and each answer is written into room of its own that goes to where its question came from.
 */
export class DatagramBatch {
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #headersIn: Uint8Array;
  readonly #rooms: readonly Uint8Array[];
  #count = 0;

  /** @param answerBytes of the longest answer */
  constructor(answerBytes: number) {
    this.#memory = new Uint8Array(ANSWERS + BATCH_DATAGRAMS * answerBytes);
    this.#view = new DataView(this.#memory.buffer);
    this.#headersIn = this.#memory.subarray(HEADERS_IN, HEADERS_OUT);
    this.#rooms = Array.from({ length: BATCH_DATAGRAMS }, (_, i) => {
      const start = ANSWERS + i * answerBytes;
      return this.#memory.subarray(start, start + answerBytes);
    });
    const base = BigInt(ptr(this.#memory));
    for (let i = 0; i < BATCH_DATAGRAMS; i++) {
      const address = (at: number, bytes: number) => base + BigInt(at + i * bytes);
      this.#link(HEADERS_IN, VECTORS_IN, i, address(VECTORS_IN, VECTOR_BYTES), address(RECEIVED, DATAGRAM_LIMIT));
      this.#link(HEADERS_OUT, VECTORS_OUT, i, address(VECTORS_OUT, VECTOR_BYTES), address(ANSWERS, answerBytes));
      for (const headers of [HEADERS_IN, HEADERS_OUT]) {
        this.#view.setBigUint64(headers + i * HEADER_BYTES + NAME, address(NAMES, NAME_BYTES), true);
      }
      this.#view.setUint32(VECTORS_IN + i * VECTOR_BYTES + VECTOR_LENGTH, DATAGRAM_LIMIT, true);
    }
  }

  #link(headers: number, vectors: number, i: number, vector: bigint, data: bigint): void {
    const header = headers + i * HEADER_BYTES;
    this.#view.setBigUint64(header + VECTOR, vector, true);
    this.#view.setBigUint64(header + VECTOR_COUNT, 1n, true);
    this.#view.setBigUint64(vectors + i * VECTOR_BYTES, data, true);
  }

  /**
   * Reads what lies ready, over what was read before.
   *
   * @param fd of a UDP socket, the caller's
   * @returns how many datagrams; 0 also where the socket reports an error
   */
  receive(fd: number): number {
    const view = this.#view;
    for (let i = 0; i < BATCH_DATAGRAMS; i++) {
      view.setUint32(HEADERS_IN + i * HEADER_BYTES + NAME_LENGTH, SOCKADDR_IN6_BYTES, true);
    }
    this.#count = Math.max(0, libc().recvmmsg(fd, this.#headersIn, BATCH_DATAGRAMS, MSG_DONTWAIT).value);
    for (let i = 0; i < this.#count; i++) this.answer(i, 0);
    return this.#count;
  }

  /** A view, until the next `receive`; of a datagram that was cut nothing. */
  datagram(i: number): Uint8Array {
    const header = HEADERS_IN + i * HEADER_BYTES;
    const cut = (this.#view.getUint32(header + FLAGS, true) & MSG_TRUNC) !== 0;
    const start = RECEIVED + i * DATAGRAM_LIMIT;
    return this.#memory.subarray(start, cut ? start : start + this.#view.getUint32(header + LENGTH, true));
  }

  /** The sender's address as 32 bits; undefined where it is not one of IPv4. */
  ipv4(i: number): number | undefined {
    const name = NAMES + i * NAME_BYTES;
    return this.#view.getUint16(name, true) === AF_INET ? this.#view.getUint32(name + 4) : undefined;
  }

  port(i: number): number {
    return this.#view.getUint16(NAMES + i * NAME_BYTES + 2);
  }

  sender(i: number): InetAddress | undefined {
    const name = NAMES + i * NAME_BYTES;
    const decoded = decodeSocketAddress(this.#memory.subarray(name, name + SOCKADDR_IN6_BYTES));
    return decoded.ok ? decoded.value : undefined;
  }

  /** Where the answer to a datagram is written. */
  room(i: number): Uint8Array {
    return this.#rooms[i] ?? this.#memory;
  }

  /** @param bytes of its room, which `send` sends; 0 for no answer */
  answer(i: number, bytes: number): void {
    this.#view.setUint32(VECTORS_OUT + i * VECTOR_BYTES + VECTOR_LENGTH, bytes, true);
    const [headerIn, headerOut] = [HEADERS_IN + i * HEADER_BYTES, HEADERS_OUT + i * HEADER_BYTES];
    this.#view.setUint32(headerOut + NAME_LENGTH, this.#view.getUint32(headerIn + NAME_LENGTH, true), true);
  }

  /** Sends the answers. @returns how many the kernel did not take: they are lost, as datagrams may be */
  send(fd: number): number {
    let lost = 0;
    for (let at = 0; at < this.#count; ) {
      const end = this.#endOfRun(at);
      if (end === at) {
        at += 1;
        continue;
      }
      const headers = this.#memory.subarray(HEADERS_OUT + at * HEADER_BYTES, HEADERS_OUT + end * HEADER_BYTES);
      const { value, errno } = libc().sendmmsg(fd, headers, end - at, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (value > 0) {
        at += value;
      } else {
        // The first one cannot be sent (no route, or a firewall); without room none can.
        const given = errno === EAGAIN ? end - at : 1;
        lost += given;
        at += given;
      }
    }
    return lost;
  }

  /** Answers that stand side by side go out in one call. */
  #endOfRun(start: number): number {
    let end = start;
    while (end < this.#count && this.#view.getUint32(VECTORS_OUT + end * VECTOR_BYTES + VECTOR_LENGTH, true) > 0) end++;
    return end;
  }
}
