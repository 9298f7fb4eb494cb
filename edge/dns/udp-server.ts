import type { Clock, MonotonicTime } from "../../src/base/clock.ts";
import { elapsed } from "../../src/base/clock.ts";
import type { Ip } from "../../src/base/ip.ts";
import type { HeldUdpSocket } from "../../src/linux/held-socket.ts";
import { enlargeReceiveBuffer } from "../../src/linux/receive-buffer.ts";
import { decodeSocketAddress } from "../../src/linux/socket-address.ts";
import { observeUdpDescriptors } from "../../src/linux/udp-descriptors.ts";
import { EDNS_UDP_BYTES } from "../../src/wire/dns.ts";
import type { ClientFilter } from "./client-filter.ts";
import type { QueryCounts } from "./query-counts.ts";
import { LATER, type QueryHandler } from "./query-handler.ts";
import { BUSY_QUERIES, UdpBacklog } from "./udp-backlog.ts";

export interface ServerDeps {
  readonly handler: QueryHandler;
  readonly clients: ClientFilter;
  readonly counts: QueryCounts;
  readonly clock: Clock;
}

/**
 * The kernel counts about 800 bytes for a query and doubles this: 2,700 queries wait out a stall, or a burst of all pods
 * at once. Its own default is 270, and who is not among them asks again after five seconds.
 */
const RECEIVE_BUFFER = 1024 * 1024;

/** Responses that are sent with one system call; Bun sends at most 204 datagrams in one. */
const BATCH = 128;
/** Of the held socket, whose buffer has room for fewer. */
const HELD_QUERIES_LIMIT = 4096;
/** LIBUS_SOCKET_REUSE_ADDR of Bun's libusockets.h, which node:dgram passes too; the types leave it out. */
const REUSE_ADDRESS = 16;

/**
 * One UDP socket. Responses are collected while the datagrams of one wake-up are handled, and then sent together: at
 * full load that saves a fifth of the time for a query. Of many, more is on its way: see {@link UdpBacklog}.
 */
export class UdpServer {
  readonly #deps: ServerDeps;
  readonly #slots = Array.from({ length: BATCH }, () => new Uint8Array(EDNS_UDP_BYTES));
  #batch: (Uint8Array | number | string)[] = [];
  #count = 0;
  #received = 0;
  readonly #forwarded = new Set<Promise<void>>();
  #batchStarted: MonotonicTime;
  #socket: Bun.udp.Socket<"uint8array"> | undefined;
  /** The runtime's, good for as long as its socket is open; undefined where /proc does not tell. */
  #fd: number | undefined;
  #backlog: UdpBacklog | undefined;

  private constructor(deps: ServerDeps) {
    this.#deps = deps;
    this.#batchStarted = deps.clock.now();
  }

  /**
   * @param held has the same address and what was asked before this run
   * @throws the system's error, such as EADDRINUSE or EADDRNOTAVAIL
   */
  static async open(address: Ip, port: number, deps: ServerDeps, held?: HeldUdpSocket): Promise<UdpServer> {
    const server = new UdpServer(deps);
    const bind = (options: object = {}) =>
      Bun.udpSocket({
        hostname: address,
        port,
        binaryType: "uint8array",
        socket: {
          data: (_socket, packet, clientPort, client) => server.#receive(packet, clientPort, client),
          // ICMP's word that a client is gone: there is nobody to tell.
          error: () => deps.counts.dropped("send"),
        },
        ...options,
      });
    if (held === undefined) {
      server.#socket = await bind();
    } else {
      server.#socket = await held.share(() => bind({ flags: REUSE_ADDRESS }));
      server.#answerHeld(held);
    }
    const descriptors = observeUdpDescriptors(address, server.port);
    server.#fd = descriptors.find((fd) => fd !== held?.fd);
    if (server.#fd !== undefined) enlargeReceiveBuffer(server.#fd, RECEIVE_BUFFER);
    return server;
  }

  get port(): number {
    return this.#socket?.port ?? 0;
  }

  get closed(): boolean {
    return this.#socket?.closed ?? true;
  }

  /** @returns when everything is answered that had arrived before the call */
  async drain(): Promise<void> {
    for (let seen = -1; seen !== this.#received; ) {
      seen = this.#received;
      // A turn of the loop reads what has arrived, the next one sends the answers.
      for (let turn = 0; turn < 2; turn++) await new Promise<void>((done) => setImmediate(done));
      await Promise.all(this.#forwarded);
    }
  }

  close(): void {
    this.#socket?.close();
  }

  #receive(packet: Uint8Array, port: number, client: string): void {
    const { handler, clients, counts } = this.#deps;
    this.#received += 1;
    // Nothing can be sent to port 0: the source is forged.
    if (port === 0 || !clients.allows(client)) {
      counts.dropped("foreign");
      return;
    }
    const slot = this.#slots[this.#count];
    if (slot === undefined) return;
    const end = handler.handle(packet, slot, 0, "udp");
    if (end > 0) {
      this.#add(slot.subarray(0, end), port, client);
    } else if (end === LATER) {
      this.#answerLater(packet, port, client);
    }
  }

  #answerLater(packet: Uint8Array, port: number, client: string): void {
    const { handler, counts, clock } = this.#deps;
    const received = clock.now();
    this.#remember(
      handler.finish(packet, "udp", (response) => {
        counts.took(elapsed(received, clock.now()) / 1000);
        this.#send([response, port, client]);
      }),
    );
  }

  /** What was asked between two runs. A client that has given up meanwhile asks from another port. */
  #answerHeld(held: HeldUdpSocket): void {
    const { handler, clients, counts } = this.#deps;
    const out = new Uint8Array(EDNS_UDP_BYTES);
    for (let n = 0; n < HELD_QUERIES_LIMIT; n++) {
      const query = held.receive();
      if (query === undefined) return;
      const { datagram, from } = query;
      const client = decodeSocketAddress(from);
      if (!client.ok || client.value.port === 0 || !clients.allows(client.value.address)) {
        counts.dropped("foreign");
        continue;
      }
      const end = handler.handle(datagram, out, 0, "udp");
      if (end > 0) held.reply(out.subarray(0, end), from);
      else if (end === LATER) this.#remember(handler.finish(datagram, "udp", (response) => held.reply(response, from)));
    }
  }

  #remember(answer: Promise<void>): void {
    this.#forwarded.add(answer);
    void answer.finally(() => this.#forwarded.delete(answer));
  }

  #add(response: Uint8Array, port: number, client: string): void {
    this.#batch.push(response, port, client);
    this.#count += 1;
    if (this.#count === 1) {
      this.#batchStarted = this.#deps.clock.now();
      setImmediate(() => this.#endOfWakeUp());
    }
    if (this.#count === BATCH) this.#flush();
  }

  #endOfWakeUp(): void {
    const isBusy = this.#count >= BUSY_QUERIES;
    this.#flush();
    if (!isBusy || this.#fd === undefined || this.closed) return;
    this.#backlog ??= new UdpBacklog(this.#deps, (packet, port, client) => this.#answerLater(packet, port, client));
    this.#received += this.#backlog.take(this.#fd);
  }

  #flush(): void {
    const count = this.#count;
    if (count === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#count = 0;
    this.#send(batch);
    const { counts, clock } = this.#deps;
    counts.took(elapsed(this.#batchStarted, clock.now()) / 1000, count);
  }

  /** Sends bytes, port and address in turn. What the kernel does not take now is lost, as datagrams may be. */
  #send(batch: (Uint8Array | number | string)[]): void {
    const socket = this.#socket;
    if (socket === undefined || socket.closed) return;
    for (let rest = batch; rest.length > 0; ) {
      let sent = 0;
      try {
        sent = socket.sendMany(rest);
      } catch {
        // The first one cannot be sent (no route, or a firewall): the others still can.
        this.#deps.counts.dropped("send");
        rest = rest.slice(3);
        continue;
      }
      if (sent === 0) {
        this.#deps.counts.dropped("send", rest.length / 3);
        return;
      }
      rest = 3 * sent >= rest.length ? [] : rest.slice(3 * sent);
    }
  }
}
