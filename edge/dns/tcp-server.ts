import type { Timer } from "../../src/base/clock.ts";
import { elapsed } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import type { Ip } from "../../src/base/ip.ts";
import type { DescriptorReserve } from "../../src/linux/descriptor-reserve.ts";
import { MAX_MESSAGE_BYTES } from "../../src/wire/dns.ts";
import { LENGTH_BYTES, MessageStream } from "./message-stream.ts";
import { LATER } from "./query-handler.ts";
import type { ServerDeps } from "./udp-server.ts";

/** TCP is for answers too large for UDP: rare. Beyond this, new connections are closed at once. */
export const MAX_CONNECTIONS = 128;
/** One pod cannot take all of them. */
export const MAX_CONNECTIONS_PER_CLIENT = 32;
/**
 * From one whole query to the next (RFC 7766 section 6.2.3 asks for seconds); single bytes do not count. The forwarder
 * gives up sooner, so nobody who waits for an answer is idle.
 */
export const IDLE_TIMEOUT = seconds(10);
/** A question has at most 271 bytes; the rest is room for EDNS options. */
export const MAX_QUERY_BYTES = 4096;
/** What a client may leave unread: two of the largest responses. */
export const MAX_UNSENT_BYTES = 2 * (2 + MAX_MESSAGE_BYTES);

export interface TcpServerDeps extends ServerDeps {
  /** While they are short, who connects is sent away: see {@link DescriptorReserve}. */
  readonly descriptors: Pick<DescriptorReserve, "short">;
}

type Socket = Bun.Socket<Connection>;

/** What has come of the queries of one client, and what has to go out. */
interface Connection {
  readonly client: string;
  readonly received: MessageStream;
  unsent: Uint8Array[];
  unsentBytes: number;
  idle: Timer | undefined;
}

/** One listening TCP socket (RFC 7766): pipelined queries, answers in the order in which they are found. */
export class TcpServer {
  readonly #deps: TcpServerDeps;
  readonly #out = new Uint8Array(LENGTH_BYTES + MAX_MESSAGE_BYTES);
  readonly #sockets = new Set<Socket>();
  readonly #forwarded = new Set<Promise<void>>();
  #listener: Bun.TCPSocketListener<Connection> | undefined;

  private constructor(deps: TcpServerDeps) {
    this.#deps = deps;
  }

  /**
   * @param descriptor of a listening socket that has this address, and is this server's to close
   * @throws the system's error, such as EADDRINUSE or EADDRNOTAVAIL
   */
  static open(address: Ip, port: number, deps: TcpServerDeps, descriptor?: number): TcpServer {
    const server = new TcpServer(deps);
    // Bun's types leave the descriptor out where it listens.
    const place = descriptor === undefined ? { hostname: address, port } : { fd: descriptor, hostname: address, port };
    server.#listener = Bun.listen<Connection>({
      ...place,
      socket: {
        binaryType: "uint8array",
        open: (socket) => server.#open(socket),
        data: (socket, data) => server.#receive(socket, data),
        drain: (socket) => server.#drain(socket),
        close: (socket) => server.#forget(socket),
        error: (socket) => server.#end(socket),
      },
    });
    return server;
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  /**
   * Takes no further connections: they wait where the listening socket is kept.
   *
   * @returns when all is answered that was asked before the call, and its connections have ended
   */
  async drain(): Promise<void> {
    this.#listener?.stop(false);
    // A turn of the loop reads what has arrived.
    await new Promise<void>((done) => setImmediate(done));
    await Promise.all(this.#forwarded);
    // Not `terminate`, which takes back what the kernel has not sent yet.
    for (const socket of this.#sockets) socket.end();
  }

  close(): void {
    this.#listener?.stop(true);
    for (const socket of [...this.#sockets]) {
      socket.terminate();
      this.#forget(socket);
    }
  }

  #open(socket: Socket): void {
    const { clients, counts, descriptors } = this.#deps;
    const client = socket.remoteAddress;
    socket.data = {
      client,
      received: new MessageStream(MAX_QUERY_BYTES),
      unsent: [],
      unsentBytes: 0,
      idle: undefined,
    };
    const ofClient = [...this.#sockets].filter((other) => other.data.client === client).length;
    if (!clients.allows(client)) {
      counts.dropped("foreign");
      socket.terminate();
    } else if (descriptors.short || this.#sockets.size >= MAX_CONNECTIONS || ofClient >= MAX_CONNECTIONS_PER_CLIENT) {
      counts.dropped("connections");
      socket.terminate();
    } else {
      this.#sockets.add(socket);
      this.#restartIdle(socket);
    }
  }

  #receive(socket: Socket, data: Uint8Array): void {
    const readable = socket.data.received.push(data, (query) => {
      this.#restartIdle(socket);
      this.#answer(socket, query);
      return this.#sockets.has(socket);
    });
    if (!readable) this.#end(socket);
  }

  #answer(socket: Socket, query: Uint8Array): void {
    const { handler, counts, clock } = this.#deps;
    const started = clock.now();
    const end = handler.handle(query, this.#out, LENGTH_BYTES, "tcp");
    if (end !== LATER) {
      // A packet that is not to be answered does not come from a resolver's client.
      if (end === LENGTH_BYTES) this.#end(socket);
      else this.#frame(socket, this.#out.subarray(LENGTH_BYTES, end));
      counts.took(elapsed(started, clock.now()) / 1000);
      return;
    }
    const answer = handler.finish(query, "tcp", (response) => {
      counts.took(elapsed(started, clock.now()) / 1000);
      if (this.#sockets.has(socket)) this.#frame(socket, response);
    });
    this.#forwarded.add(answer);
    void answer.finally(() => this.#forwarded.delete(answer));
  }

  #frame(socket: Socket, response: Uint8Array): void {
    const framed = new Uint8Array(LENGTH_BYTES + response.length);
    framed[0] = response.length >> 8;
    framed[1] = response.length & 0xff;
    framed.set(response, LENGTH_BYTES);
    const connection = socket.data;
    connection.unsent.push(framed);
    connection.unsentBytes += framed.length;
    if (connection.unsent.length === 1) this.#drain(socket);
    if (connection.unsentBytes > MAX_UNSENT_BYTES) this.#end(socket);
  }

  #drain(socket: Socket): void {
    const connection = socket.data;
    for (let first = connection.unsent[0]; first !== undefined; first = connection.unsent[0]) {
      const written = socket.write(first);
      if (written < 0) return;
      connection.unsentBytes -= written;
      if (written < first.length) {
        connection.unsent[0] = first.subarray(written);
        return;
      }
      connection.unsent.shift();
    }
  }

  #restartIdle(socket: Socket): void {
    socket.data.idle?.cancel();
    socket.data.idle = this.#deps.clock.after(IDLE_TIMEOUT, () => this.#end(socket));
  }

  #end(socket: Socket): void {
    this.#forget(socket);
    socket.terminate();
  }

  #forget(socket: Socket): void {
    this.#sockets.delete(socket);
    socket.data?.idle?.cancel();
  }
}
