import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import { SelvedgeError } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { Ip } from "../../src/base/ip.ts";
import type { Log } from "../../src/base/log.ts";
import type { Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { GlobalService, Locality } from "../../src/network/global-service.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { ServiceViews } from "../../src/network/service-index.ts";
import { formatRcode, formatRecordType } from "../../src/wire/dns.ts";
import { formatName, lowerName, parseName } from "../../src/wire/dns-name.ts";
import { formatRecordData } from "../../src/wire/dns-record.ts";
import { answerRcode } from "./answer.ts";
import { ClientFilter } from "./client-filter.ts";
import { Forwarder } from "./forwarder.ts";
import type { SocketKeeper } from "./held-sockets.ts";
import { type ListenerStatus, Listeners } from "./listeners.ts";
import { NameTable } from "./name-table.ts";
import { QueryCounts } from "./query-counts.ts";
import { QueryHandler } from "./query-handler.ts";
import { parseResolvConf, withoutOwn } from "./resolv-conf.ts";
import { ResolvConfFile } from "./resolv-conf-file.ts";
import { type AnswerSource, Resolver, readAnswer } from "./resolver.ts";
import type { UpstreamState } from "./upstream.ts";
import { UpstreamSockets } from "./upstream-sockets.ts";
import { formatUpstream, type UpstreamAddress } from "./upstream-transport.ts";
import { makeZone } from "./zone.ts";

export interface DnsOptions {
  /** The cluster domain, such as "cluster.local". */
  readonly zone: string;
  readonly bindAddresses: readonly Ip[];
  /** 0 lets the system choose, for tests. */
  readonly port: number;
  /** Undefined: those of the file `resolvConf`, as it is at any time. */
  readonly upstreams: readonly UpstreamAddress[] | undefined;
  readonly resolvConf: string;
  /** Clients that are answered; others get nothing. */
  readonly allowed: (client: Ip) => boolean;
}

export interface DnsDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** 32 bits from the system's cryptographic generator: ids, probes and the seed of the name hash. */
  readonly randomWord: () => number;
  readonly log: Log;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly keeper?: SocketKeeper | undefined;
}

export interface UpstreamStatus {
  readonly server: string;
  readonly state: UpstreamState;
  readonly lastFailure: string | undefined;
}

export interface DnsStatus {
  readonly zone: string;
  readonly listeners: readonly ListenerStatus[];
  readonly serviceCount: number;
  /** Services of several clusters. */
  readonly globalServiceCount: number;
  readonly upstreams: readonly UpstreamStatus[];
  readonly cacheEntries: number;
  readonly cacheBytes: number;
}

export interface ResolvedRecord {
  readonly name: string;
  readonly ttlSeconds: number;
  readonly type: string;
  readonly data: string;
}

export interface ResolvedName {
  readonly rcode: string;
  readonly source: AnswerSource;
  readonly answers: readonly ResolvedRecord[];
}

/** The names capability: answers for services of this cluster and of several, forwards everything else. */
export class Dns {
  readonly #options: DnsOptions;
  readonly #deps: DnsDeps;
  readonly #scope: Scope;
  readonly #table: NameTable;
  readonly #forwarder: Forwarder;
  readonly #resolver: Resolver;
  readonly #clients: ClientFilter;
  readonly #listeners: Listeners;

  /** @throws SelvedgeError DNS_ZONE_INVALID */
  constructor(options: DnsOptions, deps: DnsDeps, scope: Scope) {
    const zone = parseName(options.zone);
    if (!zone.ok || zone.value === "\0") {
      throw new SelvedgeError(
        `Cannot serve names as the cluster domain is no domain: current value is ${options.zone}`,
        {
          code: "DNS_ZONE_INVALID",
          blame: "user",
          retry: "never",
          hint: "Set --dns-cluster-domain to the cluster's own, such as cluster.local.",
        },
      );
    }
    const { clock, randomWord, metrics } = deps;
    this.#options = options;
    this.#deps = deps;
    this.#scope = scope;
    this.#table = new NameTable(makeZone(lowerName(zone.value)), options.bindAddresses);
    this.#forwarder = new Forwarder({ ...deps, transport: new UpstreamSockets(clock) }, scope);
    this.#resolver = new Resolver(this.#table, this.#forwarder, clock);
    this.#clients = new ClientFilter(options.allowed);
    const counts = new QueryCounts(metrics);
    const handler = new QueryHandler({
      table: this.#table,
      resolver: this.#resolver,
      counts,
      sawQuestion: (name) => this.#forwarder.pool.sawQuestion(name),
      randomWord,
    });
    const serving = { ...deps, handler, clients: this.#clients, counts };
    this.#listeners = new Listeners(options.bindAddresses, options.port, serving, scope);
    metrics.gauge("dns_cache_entries", "Forwarded answers that are kept, stale ones included.", () => {
      return this.#forwarder.cache.entryCount;
    });
    metrics.gauge("dns_upstreams", "Upstream servers, by state.", () =>
      (["up", "down", "loop"] as const).map((state) => {
        const upstreams = this.#forwarder.pool.list().filter((upstream) => upstream.state === state);
        return [{ state }, upstreams.length] as const;
      }),
    );
  }

  /**
   * Finds the upstreams and opens the sockets, in which questions for them may wait already. What does not work is a
   * health condition, and tried again.
   */
  async start(): Promise<void> {
    await this.#findUpstreams();
    await this.#listeners.start();
  }

  /** The end of a run: see {@link Listeners.handOver}. */
  handOver(): Promise<void> {
    return this.#listeners.handOver();
  }

  /** Takes in the services that changed. */
  update(index: ServiceViews, changed: ReadonlySet<ObjectKey>): void {
    this.#table.update(index, changed);
  }

  /** Takes in services of several clusters that changed; those that are gone as undefined. */
  updateGlobals(changed: Iterable<readonly [ObjectKey, GlobalService | undefined]>): void {
    this.#table.updateGlobals(changed);
  }

  /** Where this node is among those clusters. */
  setLocality(locality: Locality): void {
    this.#table.setLocality(locality);
  }

  /** `options.allowed` says something else than before. */
  allowedChanged(): void {
    this.#clients.forget();
  }

  status(): DnsStatus {
    const { cache, pool } = this.#forwarder;
    return {
      zone: this.#options.zone,
      listeners: this.#listeners.status(),
      serviceCount: this.#table.serviceCount,
      globalServiceCount: this.#table.globalServiceCount,
      upstreams: pool.list().map(({ server, state, lastFailure }) => {
        return { server: formatUpstream(server), state, lastFailure };
      }),
      cacheEntries: cache.entryCount,
      cacheBytes: cache.sizeBytes,
    };
  }

  /**
   * What a client would be told, and where that is from.
   *
   * @throws SelvedgeError DNS_NAME_INVALID
   */
  async resolve(name: string, type: number): Promise<ResolvedName> {
    const parsed = parseName(name);
    if (!parsed.ok) {
      throw new SelvedgeError(`Cannot resolve as the name is not valid: current value is ${parsed.error.at}`, {
        code: "DNS_NAME_INVALID",
        blame: "user",
        retry: "never",
        hint: `A name has labels of 1 to 63 bytes and at most 255 bytes: ${parsed.error.why}.`,
      });
    }
    const question = { name: lowerName(parsed.value), type, dnssecOk: false, checkingDisabled: false };
    const resolution = await this.#resolver.resolve(question);
    const message = readAnswer(question.name, type, resolution);
    return {
      rcode: formatRcode(answerRcode(resolution.answer)),
      source: resolution.source,
      answers: (message?.answers ?? []).map((record) => ({
        name: formatName(record.name),
        ttlSeconds: record.ttl,
        type: formatRecordType(record.type),
        data: formatRecordData(record),
      })),
    };
  }

  async #findUpstreams(): Promise<void> {
    const { upstreams, resolvConf } = this.#options;
    if (upstreams !== undefined) {
      this.#use(upstreams);
      return;
    }
    const use = (text: string) => this.#use(parseResolvConf(text));
    await new ResolvConfFile(resolvConf, this.#deps.clock, this.#scope, use).read();
  }

  #use(servers: readonly UpstreamAddress[]): void {
    const { bindAddresses, port } = this.#options;
    this.#forwarder.pool.replace(withoutOwn(servers, bindAddresses, port));
  }
}
