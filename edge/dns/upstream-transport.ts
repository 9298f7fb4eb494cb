import type { Duration } from "../../src/base/duration.ts";
import type { Ip } from "../../src/base/ip.ts";
import type { Result } from "../../src/base/result.ts";
import type { Message } from "../../src/wire/dns-message.ts";

export interface UpstreamAddress {
  readonly address: Ip;
  readonly port: number;
  /** The link of a link-local address, by name or number (RFC 4007 section 11). */
  readonly zone?: string | undefined;
}

/** As the system takes it: "192.0.2.1", "fe80::1%eth0". */
export function formatHost({ address, zone }: UpstreamAddress): string {
  return zone === undefined ? address : `${address}%${zone}`;
}

export function formatUpstream(server: UpstreamAddress): string {
  const host = formatHost(server);
  return host.includes(":") ? `[${host}]:${server.port}` : `${host}:${server.port}`;
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
