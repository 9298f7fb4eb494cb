import { type Family, type Ip, ipFamily } from "../base/ip.ts";
import { decodeEchoReply, encodeEchoRequest } from "../wire/icmp-echo.ts";
import { systemError } from "./errno.ts";
import { libc } from "./libc.ts";
import { AF_INET, AF_INET6, encodeSocketAddress } from "./socket-address.ts";

const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;

const SOL_SOCKET = 1;
const SO_MARK = 36;
const SOL_IP = 0;
const IP_MTU_DISCOVER = 10;
const SOL_IPV6 = 41;
const IPV6_MTU_DISCOVER = 23;
/** Never in fragments, and as large as the link takes, whatever is known of the path. */
const PMTUDISC_PROBE = 3;
const SOL_RAW = 255;
const ICMP_FILTER = 1;
const ICMPV6_FILTER = 1;
/** Bits of the types that are kept out: all but echo reply. */
const ONLY_REPLIES = new Uint8Array(Uint32Array.of(~1).buffer);
const ONLY_REPLIES_V6 = new Uint8Array(
  Uint32Array.from({ length: 8 }, (_, word) => (word === 129 >> 5 ? ~(1 << (129 & 31)) : ~0)).buffer,
);

export interface EchoSocketOptions {
  readonly family: Family;
  /** One of this node's addresses; undefined: the one of the route. */
  readonly source: Ip | undefined;
  /** For the policy rules that look at it. */
  readonly mark: number | undefined;
  /** 16 bits, to tell our answers from those of others. */
  readonly identifier: number;
  readonly onReply: (sequence: number) => void;
}

/**
 * Sends ICMP echo requests of any size in one piece, and hears the answers. Raw, as unprivileged ICMP sockets are switched
 * off by default (net.ipv4.ping_group_range).
 */
export class EchoSocket {
  readonly #options: EchoSocketOptions;
  readonly #fd: number;
  #socket: Bun.Socket | undefined;
  #closed = false;

  /** @throws SelvedgeError with an errno's name: EPERM without CAP_NET_RAW, EADDRNOTAVAIL when the source is not here */
  static async open(options: EchoSocketOptions): Promise<EchoSocket> {
    const fd = openRaw(options);
    const echoes = new EchoSocket(fd, options);
    try {
      await echoes.#listen();
    } catch (error) {
      libc().close(fd);
      throw error;
    }
    return echoes;
  }

  private constructor(fd: number, options: EchoSocketOptions) {
    this.#fd = fd;
    this.#options = options;
  }

  /**
   * @param sequence 16 bits
   * @param packetBytes of the whole IP packet
   * @returns whether it left: it is too large for the link, has no route, or a packet filter refused it
   */
  send(target: Ip, sequence: number, packetBytes: number): boolean {
    if (this.#closed) return false;
    const { family, identifier } = this.#options;
    const message = encodeEchoRequest(family, { identifier, sequence }, packetBytes);
    const address = encodeSocketAddress({ address: target, port: 0 });
    return libc().sendto(this.#fd, message, 0, address).value >= 0;
  }

  close(): void {
    this.#closed = true;
    this.#socket?.terminate();
  }

  /** Hands the descriptor to Bun, which closes it with the socket. */
  async #listen(): Promise<void> {
    const options: Bun.FdSocketOptions = {
      fd: this.#fd,
      socket: {
        data: (_, bytes) => this.#read(bytes),
        close: () => {
          this.#closed = true;
        },
        // An ICMP error about a request: it has no answer, and that is all there is to know.
        error: () => {},
      },
    };
    // Bun's types describe the options and leave out the overload that takes them.
    this.#socket = await Bun.connect(options as unknown as Bun.UnixSocketOptions);
  }

  #read(packet: Uint8Array): void {
    const reply = decodeEchoReply(this.#options.family, packet);
    if (reply.ok && reply.value?.identifier === this.#options.identifier) this.#options.onReply(reply.value.sequence);
  }
}

function openRaw({ family, source, mark }: EchoSocketOptions): number {
  const [domain, protocol] = family === 4 ? [AF_INET, IPPROTO_ICMP] : [AF_INET6, IPPROTO_ICMPV6];
  const what = "open a socket for echo requests";
  const opened = libc().socket(domain, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (opened.value < 0) throw systemError(what, opened.errno);
  const fd = opened.value;
  const set = (level: number, option: number, value: Uint8Array) => check(libc().setsockopt(fd, level, option, value));
  const check = ({ value, errno }: { readonly value: number; readonly errno: number }) => {
    if (value >= 0) return;
    libc().close(fd);
    throw systemError(what, errno);
  };
  if (family === 4) {
    set(SOL_IP, IP_MTU_DISCOVER, number(PMTUDISC_PROBE));
    set(SOL_RAW, ICMP_FILTER, ONLY_REPLIES);
  } else {
    set(SOL_IPV6, IPV6_MTU_DISCOVER, number(PMTUDISC_PROBE));
    set(IPPROTO_ICMPV6, ICMPV6_FILTER, ONLY_REPLIES_V6);
  }
  if (mark !== undefined) set(SOL_SOCKET, SO_MARK, number(mark));
  if (source !== undefined && ipFamily(source) === family) {
    check(libc().bind(fd, encodeSocketAddress({ address: source, port: 0 })));
  }
  return fd;
}

function number(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
