import { connect } from "node:net";
import type { Clock } from "../../src/base/clock.ts";
import { errorCode } from "../../src/base/errors.ts";
import { fail, ok, type Result } from "../../src/base/result.ts";
import { MAX_MESSAGE_BYTES } from "../../src/wire/dns.ts";
import type { Message } from "../../src/wire/dns-message.ts";
import { MessageStream } from "./message-stream.ts";
import { type Exchange, type ExchangeFailure, formatHost, type UpstreamTransport } from "./upstream-transport.ts";

type Outcome = Result<Message, ExchangeFailure>;

/** Sockets of the operating system: it draws a random source port for each (RFC 5452 section 9.2). */
export class UpstreamSockets implements UpstreamTransport {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async udp(exchange: Exchange): Promise<Outcome> {
    const { server, query, accept } = exchange;
    const { promise, settle, done } = this.#pending(exchange);
    try {
      // Connected: the kernel lets only this server's datagrams in, and reports ICMP errors.
      const socket = await Bun.udpSocket({
        hostname: server.address.includes(":") ? "::" : "0.0.0.0",
        connect: { hostname: formatHost(server), port: server.port },
        binaryType: "uint8array",
        socket: {
          data: (_socket, data, _port, _address, flags) => {
            const message = flags.truncated ? undefined : accept(data);
            if (message !== undefined) settle(ok(message));
          },
          // Bun 1.4 passes the error as the only argument, its types say the second.
          error: (...args: unknown[]) => settle(fail(networkFailure(args.find((arg) => arg instanceof Error)))),
        },
      });
      void done.then(() => socket.close());
      if (!exchange.signal.aborted) socket.send(query);
    } catch (error) {
      settle(fail(networkFailure(error)));
    }
    return promise;
  }

  tcp(exchange: Exchange): Promise<Outcome> {
    const { server, query, accept } = exchange;
    const { promise, settle, done } = this.#pending(exchange);
    const received = new MessageStream(MAX_MESSAGE_BYTES);
    const framed = new Uint8Array(2 + query.length);
    framed.set([query.length >> 8, query.length & 0xff]);
    framed.set(query, 2);
    // Not Bun.connect: before the connection stands it gives no socket, and so nothing that a time-out could close.
    const socket = connect({ host: formatHost(server), port: server.port });
    socket.on("data", (data) => {
      // Without an encoding it is never a string.
      if (typeof data === "string") return;
      received.push(data, (bytes) => {
        const message = accept(bytes);
        settle(message === undefined ? fail({ kind: "network", code: "EBADMSG" }) : ok(message));
        return false;
      });
    });
    socket.on("error", (error) => settle(fail(networkFailure(error))));
    socket.on("close", () => settle(fail({ kind: "network", code: "ECONNRESET" })));
    socket.write(framed);
    void done.then(() => socket.destroy());
    return promise;
  }

  /** The promise of an outcome, which also a time-out or an abort settles; `done` runs once it is settled. */
  #pending(exchange: Exchange) {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const ended = Promise.withResolvers<void>();
    const settle = (outcome: Outcome) => {
      timer.cancel();
      exchange.signal.removeEventListener("abort", abort);
      resolve(outcome);
      ended.resolve();
    };
    const abort = () => settle(fail({ kind: "cancelled", code: "ECANCELED" }));
    const timer = this.#clock.after(exchange.timeout, () => settle(fail({ kind: "timeout", code: "ETIMEDOUT" })));
    exchange.signal.addEventListener("abort", abort);
    if (exchange.signal.aborted) abort();
    return { promise, settle, done: ended.promise };
  }
}

function networkFailure(error: unknown): ExchangeFailure {
  return { kind: "network", code: errorCode(error) };
}
