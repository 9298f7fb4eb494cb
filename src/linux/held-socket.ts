import { type Ip, ipFamily } from "../base/ip.ts";
import { systemError } from "./errno.ts";
import { type CallResult, libc } from "./libc.ts";
import { AF_INET, AF_INET6, encodeSocketAddress, SOCKADDR_IN6_BYTES } from "./socket-address.ts";

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const MSG_NOSIGNAL = 0x4000;
/** Callers whom nobody has accepted yet. */
const BACKLOG = 128;
/** The kernel counts about 800 bytes for a query and doubles this: what 2,700 clients ask while nobody answers. */
const RECEIVE_BUFFER = 1024 * 1024;
/** A query has at most 4096 bytes here; a longer one is cut, and so is no query. */
export const DATAGRAM_LIMIT = 4096;

/**
 * A UDP socket that outlives the program, at somebody else's keeping. While the program runs, its own socket has the same
 * address and is the younger one, so the kernel gives it every datagram (udp4_lib_lookup2 in net/ipv4/udp.c); when that
 * socket is gone, this one collects them for whoever comes next.
 */
export class HeldUdpSocket {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Nobody else may have the address. @throws SelvedgeError with an errno's name as its code */
  static open(address: Ip, port: number): HeldUdpSocket {
    return HeldUdpSocket.#open(address, port, false);
  }

  static #open(address: Ip, port: number, shared: boolean): HeldUdpSocket {
    const fd = openSocket(address, port, SOCK_DGRAM, shared);
    setOption(fd, SO_REUSEADDR, 0);
    // Without CAP_NET_ADMIN the size is what the system's limit allows.
    if (setOption(fd, SO_RCVBUFFORCE, RECEIVE_BUFFER).value < 0) setOption(fd, SO_RCVBUF, RECEIVE_BUFFER);
    return new HeldUdpSocket(fd);
  }

  /** A younger one of the same address: it gets every datagram from now on. */
  renew(address: Ip, port: number): Promise<HeldUdpSocket> {
    return this.share(async () => HeldUdpSocket.#open(address, port, true));
  }

  /** A socket with SO_REUSEADDR can be bound to the same address while `bind` runs, and at no other time. */
  async share<T>(bind: () => Promise<T>): Promise<T> {
    setOption(this.fd, SO_REUSEADDR, 1);
    try {
      return await bind();
    } finally {
      setOption(this.fd, SO_REUSEADDR, 0);
    }
  }

  /** @returns the next datagram that waits, and its sender as sendto(2) takes it */
  receive(): { readonly datagram: Uint8Array; readonly from: Uint8Array } | undefined {
    const datagram = new Uint8Array(DATAGRAM_LIMIT);
    const from = new Uint8Array(SOCKADDR_IN6_BYTES);
    const { value, fromBytes } = libc().recvfrom(this.fd, datagram, 0, from);
    return value < 0 ? undefined : { datagram: datagram.subarray(0, value), from: from.subarray(0, fromBytes) };
  }

  /** What the kernel does not take is lost, as datagrams may be. */
  reply(datagram: Uint8Array, to: Uint8Array): void {
    libc().sendto(this.fd, datagram, MSG_NOSIGNAL, to);
  }

  close(): void {
    libc().close(this.fd);
  }
}

/**
 * A listening TCP socket, to be held beyond the program: callers wait in its queue meanwhile.
 *
 * @returns its descriptor @throws SelvedgeError with an errno's name as its code
 */
export function openTcpListener(address: Ip, port: number): number {
  // Connections of a listener before this one may linger; two listeners are refused all the same.
  const fd = openSocket(address, port, SOCK_STREAM, true);
  const listening = libc().listen(fd, BACKLOG);
  if (listening.value < 0) throw closing(fd, address, port, listening);
  return fd;
}

/** Another number for the same socket: its owner closes it. @throws SelvedgeError with an errno's name as its code */
export function duplicate(fd: number): number {
  const copy = libc().dup(fd);
  if (copy.value < 0) throw systemError("use a socket twice", copy.errno);
  return copy.value;
}

function openSocket(address: Ip, port: number, type: number, reuse: boolean): number {
  const family = ipFamily(address) === 4 ? AF_INET : AF_INET6;
  const opened = libc().socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (opened.value < 0) throw systemError(`open a socket for ${address}`, opened.errno);
  if (reuse) setOption(opened.value, SO_REUSEADDR, 1);
  const bound = libc().bind(opened.value, encodeSocketAddress({ address, port }));
  if (bound.value < 0) throw closing(opened.value, address, port, bound);
  return opened.value;
}

function closing(fd: number, address: Ip, port: number, { errno }: CallResult): Error {
  libc().close(fd);
  return systemError(`listen on port ${port} of ${address}`, errno);
}

function setOption(fd: number, option: number, value: number): CallResult {
  return libc().setsockopt(fd, SOL_SOCKET, option, new Uint8Array(Int32Array.of(value).buffer));
}
