import { Dns, type DnsOptions } from "../../edge/dns/dns.ts";
import type { SocketKeeper } from "../../edge/dns/held-sockets.ts";
import type { Clock } from "../../src/base/clock.ts";
import { Health } from "../../src/base/health.ts";
import type { Ip } from "../../src/base/ip.ts";
import { Log } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { Scope } from "../../src/base/scope.ts";
import { SystemClock } from "../../src/linux/system-clock.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";
import { indexOf, ip } from "./network-objects.ts";

export interface DnsServer {
  readonly dns: Dns;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly port: number;
  close(): Promise<void>;
}

export function randomWord(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** The capability as the agent runs it, on 127.0.0.1 and a free port unless told otherwise. */
export async function startDns(
  changes: readonly ObjectChange[],
  over: Partial<DnsOptions> = {},
  clock: Clock = new SystemClock(),
  keeper?: SocketKeeper,
): Promise<DnsServer> {
  const scope = new Scope();
  const health = new Health(
    () => 0,
    () => {},
  );
  const metrics = new Metrics("selvedge");
  const options: DnsOptions = {
    zone: "cluster.local",
    bindAddresses: [ip("127.0.0.1")],
    port: 0,
    upstreams: [],
    resolvConf: "/nonexistent",
    allowed: (client: Ip) => client.startsWith("127.") || client === "::1",
    ...over,
  };
  const log = new Log(() => {}, "error");
  const dns = new Dns(options, { clock, random: Math.random, randomWord, log, health, metrics, keeper }, scope);
  const { index, changed } = indexOf(changes);
  dns.update(index, changed);
  await dns.start();
  const port = dns.status().listeners[0]?.port ?? 0;
  return { dns, health, metrics, port, close: () => scope.close() };
}
