import { Forwarder } from "../../edge/dns/forwarder.ts";
import { NameTable } from "../../edge/dns/name-table.ts";
import { QueryCounts } from "../../edge/dns/query-counts.ts";
import { LATER, QueryHandler, type Transport } from "../../edge/dns/query-handler.ts";
import { Resolver } from "../../edge/dns/resolver.ts";
import type { UpstreamAddress, UpstreamTransport } from "../../edge/dns/upstream-transport.ts";
import { makeZone } from "../../edge/dns/zone.ts";
import { Health } from "../../src/base/health.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { fail } from "../../src/base/result.ts";
import { Scope } from "../../src/base/scope.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";
import { EDNS_UDP_BYTES, MAX_MESSAGE_BYTES } from "../../src/wire/dns.ts";
import { dnsName, indexOf } from "./network-objects.ts";
import { SteppedClock } from "./stepped-clock.ts";

/** Nobody is reachable. */
const NOWHERE: UpstreamTransport = {
  udp: () => Promise.resolve(fail({ kind: "network", code: "ENETUNREACH" })),
  tcp: () => Promise.resolve(fail({ kind: "network", code: "ENETUNREACH" })),
};

export interface HandlerWorld {
  readonly handler: QueryHandler;
  readonly forwarder: Forwarder;
  readonly clock: SteppedClock;
  readonly metrics: Metrics;
  /** Every byte outside the response that the handler wrote to is an error. */
  ask(packet: Uint8Array, transport?: Transport): Promise<Uint8Array | undefined>;
}

const GUARD = 0xa5;

/** The server without its sockets; upstreams, if any, are reached over `transport`. */
export function makeHandler(
  changes: readonly ObjectChange[],
  upstreams: readonly UpstreamAddress[] = [],
  transport: UpstreamTransport = NOWHERE,
): HandlerWorld {
  const clock = new SteppedClock();
  const metrics = new Metrics("selvedge");
  const health = new Health(
    () => 0,
    () => {},
  );
  let word = 1;
  const randomWord = () => (word = (Math.imul(word, 69_069) + 1) >>> 0);
  const table = new NameTable(makeZone(dnsName("cluster.local")), []);
  const { index, changed } = indexOf(changes);
  table.update(index, changed);
  const forwarder = new Forwarder({ clock, random: () => 0.5, randomWord, health, metrics, transport }, new Scope());
  forwarder.pool.replace(upstreams);
  const resolver = new Resolver(table, forwarder, clock);
  const sawQuestion = forwarder.pool.sawQuestion.bind(forwarder.pool);
  const handler = new QueryHandler({ table, resolver, counts: new QueryCounts(metrics), sawQuestion, randomWord });

  async function ask(packet: Uint8Array, via: Transport = "udp"): Promise<Uint8Array | undefined> {
    const limit = via === "udp" ? EDNS_UDP_BYTES : MAX_MESSAGE_BYTES;
    const out = new Uint8Array(limit + 16).fill(GUARD);
    const end = handler.handle(packet, out, 8, via);
    if (out.subarray(0, 8).some((byte) => byte !== GUARD)) throw new Error("wrote before the start");
    if (out.subarray(8 + limit).some((byte) => byte !== GUARD)) throw new Error("wrote past the limit");
    if (end !== LATER) return end === 8 ? undefined : out.slice(8, end);
    let response: Uint8Array | undefined;
    await handler.finish(packet, via, (bytes) => {
      response = bytes.slice();
    });
    return response;
  }

  return { handler, forwarder, clock, metrics, ask };
}
