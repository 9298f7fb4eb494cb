import type { Duration } from "../../src/base/duration.ts";
import type { Ip } from "../../src/base/ip.ts";
import type { Result } from "../../src/base/result.ts";
import type { Message } from "../../src/wire/dns-message.ts";

export interface UpstreamAddress {
  readonly address: Ip;
  readonly port: number;
}

export function formatUpstream({ address, port }: UpstreamAddress): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

export interface ExchangeFailure {
  readonly kind: "timeout" | "network" | "cancelled";
  /** The system's name of the error, such as ECONNREFUSED. */
  readonly code: string;
}

export interface Exchange {
  readonly server: UpstreamAddress;
  readonly query: Uint8Array;
  /** Shown every message that arrives; the first that it takes ends the exchange, others are as if never sent. */
  readonly accept: (message: Uint8Array) => Message | undefined;
  readonly timeout: Duration;
  readonly signal: AbortSignal;
}

/** One query to one server and its answer. Each exchange has a socket, and so a source port, of its own. */
export interface UpstreamTransport {
  udp(exchange: Exchange): Promise<Result<Message, ExchangeFailure>>;
  tcp(exchange: Exchange): Promise<Result<Message, ExchangeFailure>>;
}
