import type { Random } from "../../src/base/backoff.ts";
import { type Clock, elapsed, type MonotonicTime, type Timer } from "../../src/base/clock.ts";
import { type Duration, milliseconds, seconds } from "../../src/base/duration.ts";
import type { Health } from "../../src/base/health.ts";
import type { Log } from "../../src/base/log.ts";
import type { Labels, Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { ListWatch } from "../../src/kube/list-watch.ts";
import type { ListWatchEvent } from "../../src/kube/list-watch-event.ts";
import { Recovery } from "../../src/kube/recovery.ts";
import type { Selection } from "../../src/kube/resource.ts";
import { TRAITS } from "../../src/kube/traits.ts";
import type { SourceKind } from "../../src/kube/trust.ts";
import type { ObjectChange, ObjectKind } from "../../src/network/object-change.ts";
import type { CachedObject, Judge } from "./cached-object.ts";
import { KindCache, type KindStatus } from "./kind-cache.ts";
import { PendingWrites } from "./pending-writes.ts";
import {
  hasCloudSpoken,
  isNeeded,
  isOptional,
  isOwnDocument,
  isWithheld,
  planConditions,
  SOURCE_CONDITIONS,
} from "./source-conditions.ts";
import { type CacheStore, contentDigest, type StoreTrouble } from "./store.ts";
import { WithheldSlices } from "./withheld-slices.ts";
import { CacheWriter } from "./writer.ts";

/** A lone event passes at once; in a flood, such as a first sync, events gather for so long. */
const GATHER = milliseconds(50);
/** When a list deletes suspiciously much, how long until it is asked for again. */
const CONFIRM_AFTER = seconds(10);

export interface CacheOptions {
  readonly store: CacheStore;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** undefined: the node has none, or they come as files. */
  readonly documents?: OwnDocuments | undefined;
}

export interface CacheSource {
  readonly kind: SourceKind;
  readonly client: KubeClient;
  /** The own Node is the only one that is watched. */
  readonly nodeName: string;
}

/** Where this node's own documents are, and which are worth keeping: a broken one never takes a good one's place. */
export interface OwnDocuments {
  readonly namespace: string;
  readonly configMap: string;
  readonly secret: string;
  readonly judgeSecret: Judge<"Secret">;
}

export interface CacheHandlers {
  /** One batch a turn, in order, with nothing in it that is not new; before the disk, as services matter more. */
  readonly changes: (changes: readonly ObjectChange[]) => void;
  /** Once: the cloud has spoken, and what it said has been handed over. */
  readonly trusted: () => void;
  /** Whether the source gives Endpoints and refuses EndpointSlices: those that are cached are out of date. */
  readonly slicesWithheld: (withheld: boolean) => void;
}

export interface CacheStatus {
  /** Whether the cloud answers for every kind that services need. */
  readonly connected: boolean;
  readonly source: { readonly kind: SourceKind; readonly url: string } | undefined;
  readonly kinds: readonly KindStatus[];
}

type AnyKindCache = { readonly [K in ObjectKind]: KindCache<K> }[ObjectKind];

/**
 * The node's own copy of the objects that it needs. It is on disk before anything else is up, it follows the source
 * when there is one, and it loses nothing when there is none.
 */
export class Cache {
  readonly #options: CacheOptions;
  readonly #pending = new PendingWrites();
  readonly #writer: CacheWriter;
  readonly #kinds: { readonly [K in ObjectKind]: KindCache<K> };
  #storedSource: string | undefined;
  #source: CacheSource | undefined;
  #recovery: Recovery | undefined;
  #handlers: CacheHandlers = { changes: () => undefined, trusted: () => undefined, slicesWithheld: () => undefined };
  #withheldSlices = new WithheldSlices(false);
  /** Whether the cloud has named all that there is since the file was read or put right. */
  #complete = false;
  #trust: "awaited" | "untold" | "told" = "awaited";
  #relist: (kind: "EndpointSlice" | "Endpoints") => void = () => undefined;
  /** One for each kind that is followed. */
  readonly #relists: (() => void)[] = [];
  /** Asked for rarely where they were not given: they have to hear that the cloud is back. */
  #globalServices: ListWatch<CachedObject<"GlobalService">> | undefined;
  #gathered: ObjectChange[] = [];
  #flushing: Timer | "microtask" | undefined;
  #flushedAt: MonotonicTime | undefined;

  constructor(options: CacheOptions) {
    const { clock } = options;
    this.#options = options;
    this.#writer = new CacheWriter({
      ...options,
      pending: this.#pending,
      onRepaired: (trouble) => this.#writeAnew(trouble),
    });
    const kindCache = <K extends ObjectKind>(kind: K, judge?: Judge<K>) =>
      new KindCache(kind, this.#pending, () => clock.wall(), contentDigest, judge);
    this.#kinds = {
      Service: kindCache("Service"),
      EndpointSlice: kindCache("EndpointSlice"),
      Endpoints: kindCache("Endpoints"),
      Node: kindCache("Node"),
      ConfigMap: kindCache("ConfigMap"),
      Secret: kindCache("Secret", options.documents?.judgeSecret),
      GlobalService: kindCache("GlobalService"),
    };
    this.#registerMetrics(options.metrics);
  }

  /** What is on disk, at once. A disk that is missing, damaged or too new is a condition, and the rest goes on. */
  load(): readonly ObjectChange[] {
    const { store, log } = this.#options;
    const changes: ObjectChange[] = [];
    const { state, trouble } = store.load((object) => {
      const change = this.#kinds[object.kind].restore(object);
      if (change !== undefined) changes.push(change);
    });
    if (trouble !== undefined) this.#tell("cache.load", trouble);
    this.#storedSource = state.source;
    this.#withheldSlices = new WithheldSlices(state.slicesWithheld);
    this.#kinds.EndpointSlice.withheld = state.slicesWithheld;
    for (const tombstone of state.tombstones) this.#kinds[tombstone.kind].restoreTombstone(tombstone);
    for (const [kind, watermark] of state.watermarks) this.#kinds[kind].restoreWatermark(watermark);
    log.info("cache.loaded", "The cache is loaded", { object_count: changes.length });
    return changes;
  }

  /** Follows the source until the scope closes. Returns at once. */
  start(source: CacheSource, handlers: CacheHandlers, scope: Scope): void {
    const { store } = this.#options;
    this.#source = source;
    this.#handlers = handlers;
    const identity = `${source.kind} ${source.client.url}`;
    if (this.#storedSource !== identity) {
      for (const kind of this.#all()) kind.forgetVersions();
      this.#pending.setSource(identity);
    }
    scope.onClose("cache", () => {
      this.#flush();
      this.#writer.close();
      store.close();
    });
    this.#recovery = new Recovery(this.#options.clock, this.#options.random, scope);
    this.#follow(this.#kinds.Service, source, scope);
    const listWatches = {
      EndpointSlice: this.#follow(this.#kinds.EndpointSlice, source, scope),
      Endpoints: this.#follow(this.#kinds.Endpoints, source, scope),
    };
    this.#relist = (kind) => listWatches[kind].relist();
    this.#follow(this.#kinds.Node, source, scope, { fieldSelector: `metadata.name=${source.nodeName}` });
    this.#globalServices = this.#follow(this.#kinds.GlobalService, source, scope);
    const { documents } = this.#options;
    if (documents === undefined) return;
    // The name in the selector is what RBAC's resourceNames and the node authorizer let a node watch.
    const named = (name: string) => ({ namespace: documents.namespace, fieldSelector: `metadata.name=${name}` });
    this.#follow(this.#kinds.ConfigMap, source, scope, named(documents.configMap));
    this.#follow(this.#kinds.Secret, source, scope, named(documents.secret));
  }

  /** Whether the source gives Endpoints and refuses EndpointSlices, as far as is known. */
  get slicesWithheld(): boolean {
    return this.#withheldSlices.withheld;
  }

  status(): CacheStatus {
    const kinds = this.#all().map((kind) => kind.status());
    const source = this.#source && { kind: this.#source.kind, url: this.#source.client.url };
    const connected = kinds.every((kind) => kind.connected || kind.withheld || !isNeeded(kind));
    return { connected, source, kinds };
  }

  #follow<K extends ObjectKind>(
    kind: KindCache<K>,
    source: CacheSource,
    scope: Scope,
    selection: Selection = {},
  ): ListWatch<CachedObject<K>> {
    const { clock, random } = this.#options;
    let confirming: Timer | undefined;
    const confirm = () => {
      confirming = undefined;
      listWatch.relist();
    };
    const { resumes, spread } = TRAITS[source.kind];
    const listWatch: ListWatch<CachedObject<K>> = new ListWatch({
      ...source,
      source: source.kind,
      decoder: kind.decoder,
      ...selection,
      spread,
      recovery: this.#recovery,
      optional: isOptional(kind),
      clock,
      random,
      emit: (event) => {
        const before = { rejected: kind.rejectedCount, objects: kind.objectCount };
        // A list that comes before its time, as metaServer's with each watch does, is of the same moment.
        this.#gather(kind.apply(event, !resumes, confirming === undefined));
        if (event.type === "list" && event.authoritative) {
          if (kind.status().heldDeletions === 0) {
            confirming?.cancel();
            confirming = undefined;
          } else confirming ??= clock.after(CONFIRM_AFTER, confirm);
        }
        this.#doubtSlices(kind.kind, event);
        if (kind.kind === "Service" && event.type === "state" && event.connected) this.#askForWithheld();
        // Of single objects matters here what can be read again, or is gone, and whether there is a Node of our name.
        const corrected = kind.rejectedCount < before.rejected;
        this.#report(event, corrected || (kind.kind === "Node" && kind.objectCount !== before.objects));
        this.#lookForTrust();
      },
    });
    scope.onClose(`confirmation of ${kind.kind}`, () => confirming?.cancel());
    listWatch.start(scope);
    this.#relists.push(() => listWatch.relist());
    return listWatch;
  }

  #doubtSlices(kind: ObjectKind, event: ListWatchEvent<unknown>): void {
    if (kind !== "EndpointSlice" && kind !== "Endpoints") return;
    const ask = this.#withheldSlices.observe(kind, event);
    // Where the cloud is known to be away, the next list of Endpoints comes of itself.
    if (ask === "EndpointSlice" || (ask === "Endpoints" && this.#kinds.Endpoints.status().connected)) this.#relist(ask);
    const { withheld } = this.#withheldSlices;
    if (this.#kinds.EndpointSlice.withheld === withheld) return;
    this.#kinds.EndpointSlice.withheld = withheld;
    this.#pending.setSlicesWithheld(withheld);
    this.#writer.wake();
    // What is new of either kind goes before, so that nothing old shows at the turn.
    this.#flush();
    this.#handlers.slicesWithheld(withheld);
  }

  /** Damage was found while the file was in use: nobody knows what it cost, and the source has it all. */
  #writeAnew(trouble: StoreTrouble): void {
    this.#tell("cache.repaired", trouble);
    this.#complete = false;
    for (const kind of this.#all()) kind.forgetContents();
    for (const relist of this.#relists) relist();
  }

  #tell(event: string, trouble: StoreTrouble): void {
    const { health, log } = this.#options;
    health.raise({ ...trouble, component: "cache", severity: "degraded" });
    log.error(event, trouble.message, { code: trouble.code, hint: trouble.hint });
  }

  /** Who said that there are none may have meant that the cloud is away, which it no longer is. */
  #askForWithheld(): void {
    if (isWithheld(this.#kinds.GlobalService.status())) this.#globalServices?.hurry();
  }

  #gather(changes: readonly ObjectChange[]): void {
    this.#writer.wake();
    if (changes.length === 0) return;
    for (const change of changes) this.#gathered.push(change);
    this.#scheduleFlush();
  }

  #lookForTrust(): void {
    if (this.#complete || !hasCloudSpoken(this.#all().map((kind) => kind.status()))) return;
    this.#complete = true;
    // Whatever damage to the file took is back.
    this.#options.health.clear("cache", "CACHE_CORRUPT");
    this.#options.health.clear("cache", "CACHE_UNREADABLE");
    if (this.#trust !== "awaited") return;
    this.#trust = "untold";
    this.#scheduleFlush();
  }

  #scheduleFlush(): void {
    if (this.#flushing !== undefined) return;
    const { clock } = this.#options;
    const since = this.#flushedAt === undefined ? GATHER : elapsed(this.#flushedAt, clock.now());
    if (since >= GATHER) {
      this.#flushing = "microtask";
      queueMicrotask(() => this.#flush());
    } else {
      this.#flushing = clock.after((GATHER - since) as Duration, () => this.#flush());
    }
  }

  #flush(): void {
    if (typeof this.#flushing === "object") this.#flushing.cancel();
    this.#flushing = undefined;
    this.#flushedAt = this.#options.clock.now();
    if (this.#gathered.length > 0) {
      // Of several changes to one object the last counts.
      const last = new Map(this.#gathered.map((change) => [`${change.kind} ${change.key}`, change]));
      this.#gathered = [];
      this.#handlers.changes([...last.values()]);
    }
    if (this.#trust !== "untold") return;
    this.#trust = "told";
    this.#handlers.trusted();
  }

  /** @param tells whether a condition may be another one for what the event did to a single object */
  #report(event: ListWatchEvent<unknown>, tells: boolean): void {
    if ((event.type === "upsert" || event.type === "delete") && !tells) return;
    const { health, log } = this.#options;
    const { kinds } = this.status();
    const conditions = planConditions(kinds, this.#source);
    for (const code of SOURCE_CONDITIONS) {
      const condition = conditions.find((c) => c.code === code);
      if (condition === undefined) health.clear("source", code);
      else health.raise(condition);
    }
    if (event.type === "rejected") {
      const { key, at, why } = event.rejected;
      log.warn("cache.rejected", "An object cannot be read", { key: key ?? "", reason: `${at} ${why}`.trim() });
    }
  }

  /** Those that are followed. */
  #all(): readonly AnyKindCache[] {
    const kinds = Object.values(this.#kinds);
    return this.#options.documents === undefined ? kinds.filter((kind) => !isOwnDocument(kind)) : kinds;
  }

  #given(): readonly KindStatus[] {
    return this.status().kinds.filter((kind) => !kind.withheld && isNeeded(kind));
  }

  #registerMetrics(metrics: Metrics): void {
    const perKind = (read: (status: KindStatus) => number) => (): readonly (readonly [Labels, number])[] =>
      this.#all().map((kind) => [{ kind: kind.kind }, read(kind.status())]);
    metrics.gauge("cloud_connected", "Whether the cloud answers for every kind that is watched.", () =>
      this.status().connected ? 1 : 0,
    );
    metrics.gauge("cloud_last_sync_timestamp_seconds", "When the kind that was listed longest ago was listed.", () =>
      Math.min(...this.#given().map((kind) => (kind.lastTrustedList ?? 0) / 1000)),
    );
    metrics.gauge(
      "cache_objects",
      "Objects in the cache.",
      perKind((status) => status.objectCount),
    );
    metrics.gauge(
      "cache_rejected_objects",
      "Objects that cannot be read.",
      perKind((status) => status.rejectedCount),
    );
    metrics.gauge("cache_staleness_seconds", "How long the cloud has not answered; +Inf when it never has.", () =>
      Math.max(...this.#given().map((kind) => kind.stalenessSeconds ?? Number.POSITIVE_INFINITY)),
    );
  }
}
