import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import type { Health } from "../../src/base/health.ts";
import type { Scope } from "../../src/base/scope.ts";
import { CLASS_IN, EDNS_UDP_BYTES, RecordType } from "../../src/wire/dns.ts";
import { encodeQuery } from "../../src/wire/dns-message.ts";
import { type DnsName, nameFromLabels } from "../../src/wire/dns-name.ts";
import { matchResponse } from "./forwarded-answer.ts";
import { Upstream } from "./upstream.ts";
import { formatUpstream, type UpstreamAddress, type UpstreamTransport } from "./upstream-transport.ts";

/** glibc reads three from resolv.conf; more than this is a mistake, and each one down costs a probe. */
export const MAX_UPSTREAMS = 8;
const PROBE_TIMEOUT = seconds(2);
const PROBE_DOMAIN = nameFromLabels(["selvedge-probe"]);

export interface PoolDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** 32 unpredictable bits. */
  readonly randomWord: () => number;
  readonly health: Health;
  readonly transport: UpstreamTransport;
}

interface Probe {
  readonly upstream: Upstream;
  cameBack: boolean;
}

/**
 * The servers that names are forwarded to, in the order of preference. A probe asks for a random name that nobody
 * else asks for: when it arrives at our own server, that upstream leads back to us.
 */
export class UpstreamPool {
  readonly #deps: PoolDeps;
  readonly #signal: AbortSignal;
  readonly #probes = new Map<DnsName, Probe>();
  #upstreams: readonly Upstream[] = [];

  constructor(deps: PoolDeps, scope: Scope) {
    this.#deps = deps;
    this.#signal = scope.signal;
    scope.onClose("upstreams", () => {
      for (const upstream of this.#upstreams) upstream.close();
    });
  }

  list(): readonly Upstream[] {
    return this.#upstreams;
  }

  /** Whether an upstream is worth waiting for. */
  get isUp(): boolean {
    return this.#upstreams.some((upstream) => upstream.state === "up");
  }

  /**
   * Those that are up. Where none is, those that are down: a name server without the Internet says nothing to a probe,
   * but knows the names of its own site.
   */
  usable(): readonly Upstream[] {
    const wanted = this.isUp ? "up" : "down";
    return this.#upstreams.filter((upstream) => upstream.state === wanted);
  }

  /** Servers that stay keep their health; new ones are probed for a loop. */
  replace(servers: readonly UpstreamAddress[]): void {
    const before = new Map(this.#upstreams.map((upstream) => [formatUpstream(upstream.server), upstream]));
    const wanted = new Map(servers.slice(0, MAX_UPSTREAMS).map((server) => [formatUpstream(server), server]));
    const { clock, random } = this.#deps;
    const deps = { clock, random, onChange: () => this.#report() };
    this.#upstreams = [...wanted].map(
      ([key, server]) => before.get(key) ?? new Upstream(server, deps, (upstream) => this.#probe(upstream)),
    );
    for (const [key, upstream] of before) if (!wanted.has(key)) upstream.close();
    for (const upstream of this.#upstreams) {
      if (!before.has(formatUpstream(upstream.server))) this.#probe(upstream);
    }
    this.#report();
  }

  /**
   * Our server was asked for `name`, in lower case.
   *
   * @returns whether it was a probe of ours that came back
   */
  sawQuestion(name: DnsName): boolean {
    if (!name.endsWith(PROBE_DOMAIN)) return false;
    const probe = this.#probes.get(name);
    if (probe === undefined) return false;
    probe.cameBack = true;
    probe.upstream.looped();
    return true;
  }

  #probe(upstream: Upstream): void {
    if (this.#probes.values().some((probe) => probe.upstream === upstream)) return;
    const { randomWord, transport } = this.#deps;
    const label = Array.from({ length: 4 }, () => randomWord().toString(16).padStart(8, "0")).join("");
    const name = nameFromLabels([label], PROBE_DOMAIN);
    const question = { name, type: RecordType.A, class: CLASS_IN };
    const id = randomWord() & 0xffff;
    const options = { dnssecOk: false, checkingDisabled: false, udpBytes: EDNS_UDP_BYTES };
    const probe: Probe = { upstream, cameBack: false };
    this.#probes.set(name, probe);
    const exchange = {
      server: upstream.server,
      query: encodeQuery(id, question, options),
      accept: (bytes: Uint8Array) => matchResponse(bytes, id, question),
      timeout: PROBE_TIMEOUT,
      signal: this.#signal,
    };
    void transport.udp(exchange).then((outcome) => {
      this.#probes.delete(name);
      if (this.#signal.aborted || !this.#upstreams.includes(upstream)) return;
      if (!outcome.ok) upstream.unanswered(outcome.error.code);
      // What we said to ourselves is no answer.
      else if (!probe.cameBack) upstream.recovered();
      upstream.probeLater();
    });
  }

  #report(): void {
    const { health } = this.#deps;
    const text = (list: readonly Upstream[]) => list.map((upstream) => formatUpstream(upstream.server)).join(", ");
    const looping = this.#upstreams.filter((upstream) => upstream.state === "loop");
    if (looping.length > 0) {
      health.raise({
        component: "dns",
        code: "DNS_FORWARD_LOOP",
        severity: "degraded",
        message: `Cannot forward names as the upstream sends them back to this program: current value is ${text(looping)}`,
        hint: "Set other upstream servers: the one named here forwards to this node's own DNS address.",
      });
    } else {
      health.clear("dns", "DNS_FORWARD_LOOP");
    }
    if (this.#upstreams.length === 0) {
      // A node may have none for good: a condition to know of, not one to mend.
      health.raise({
        component: "dns",
        code: "DNS_UPSTREAMS_DOWN",
        severity: "info",
        message: "Cannot resolve names outside the cluster as there is no upstream: current value is none",
        hint: "If this node is to resolve other names, set --dns-upstream: resolv.conf names no server but this program.",
      });
    } else if (!this.isUp) {
      health.raise({
        component: "dns",
        code: "DNS_UPSTREAMS_DOWN",
        severity: "degraded",
        message: `Cannot resolve names outside the cluster as no upstream answers: current value is ${text(this.#upstreams)}`,
        hint: "Cluster names and names asked for before are still answered; look at the node's uplink and resolv.conf.",
      });
    } else {
      health.clear("dns", "DNS_UPSTREAMS_DOWN");
    }
  }
}
