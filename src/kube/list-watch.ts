import { Backoff, type BackoffPolicy, type Random } from "../base/backoff.ts";
import { type Clock, elapsed, type MonotonicTime, sleep } from "../base/clock.ts";
import { type Duration, milliseconds, minutes, seconds } from "../base/duration.ts";
import { errorCode, SelvedgeError } from "../base/errors.ts";
import type { Scope } from "../base/scope.ts";
import type { KubeClient } from "./client.ts";
import { HeldEvents } from "./held-events.ts";
import { type ListResult, listObjects } from "./list.ts";
import type { ListWatchEvent } from "./list-watch-event.ts";
import type { ObjectDecoder } from "./object-reader.ts";
import type { Recovery } from "./recovery.ts";
import type { Selection } from "./resource.ts";
import { isOutage } from "./status.ts";
import { TRAITS } from "./traits.ts";
import type { SourceKind } from "./trust.ts";
import { REPLAY_SILENCE, Watch } from "./watch.ts";

export const RETRY: BackoffPolicy = { initial: milliseconds(500), factor: 2, limit: seconds(60) };
/** How soon a list is asked for again that was not the cloud's word, where nothing else tells that the cloud is back. */
const CLOUD_RETRY: BackoffPolicy = { initial: seconds(2), factor: 2, limit: seconds(60) };
/** How soon a source is asked again for what it need not have, and has not: most never will. */
const ABSENT_RETRY: BackoffPolicy = { initial: seconds(10), factor: 4, limit: minutes(10) };
/** A watch that ends sooner did not work: the next one waits. */
const WATCH_WORKED = seconds(5);
/** Asked-for lists come no closer together. */
const RELIST_GAP = seconds(5);
/** A version that the source refuses so many times, or whose watch ends at once, is given up for a list. */
const REFUSALS_MAX = 3;
/**
 * An API server that was restored from a backup counts from further back, and keeps a watch that begins in its future
 * open without a word until it gets there. So many open watches in a row without one line are that, and not the network.
 */
const SILENT_WATCHES_MAX = 2;
/** Why a watch is ended that did nothing wrong. */
const RELIST = Symbol("a list is next");

export interface ListWatchOptions<T> extends Selection {
  readonly client: KubeClient;
  readonly source: SourceKind;
  readonly decoder: ObjectDecoder<T>;
  /** Called in the order of the source; must not throw. */
  readonly emit: (event: ListWatchEvent<T>) => void;
  /** Up to so long a list waits that follows a 410: a server that starts again says it to a whole fleet at once. */
  readonly spread: Duration;
  /** Of all list–watches of that source; undefined: each finds out for itself that it is back. */
  readonly recovery?: Recovery | undefined;
  /** There are sources without this resource: they are asked for it rarely. */
  readonly optional?: boolean | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Follows one collection for as long as its scope is open: list, watch, list again when the watch cannot go on. It
 * never gives up; whatever fails is reported as a state and tried again with a jittered back-off.
 */
export class ListWatch<T> {
  readonly #options: ListWatchOptions<T>;
  readonly #backoff: Backoff;
  readonly #cloudBackoff: Backoff;
  /** A server that says 410 is there, however long it was away before. */
  readonly #goneBackoff: Backoff;
  readonly #absentBackoff: Backoff;
  #position: string | undefined;
  #listNext = true;
  #authoritative = false;
  #listedAt: MonotonicTime | undefined;
  #state: "unknown" | "connected" | "disconnected" = "unknown";
  #watch: AbortController | undefined;
  #watchSeconds = 0;
  #silentWatches = 0;
  #waiting: AbortController | undefined;

  constructor(options: ListWatchOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff(RETRY, options.random);
    this.#cloudBackoff = new Backoff(CLOUD_RETRY, options.random);
    this.#goneBackoff = new Backoff(RETRY, options.random);
    this.#absentBackoff = new Backoff(ABSENT_RETRY, options.random);
  }

  start(scope: Scope): void {
    const { signal } = scope;
    const running = this.#run(signal);
    scope.onClose(`list-watch ${this.#options.decoder.resource.plural}`, () => running);
  }

  /** Asks for a list now: the watch, if there is one, ends for it. */
  relist(): void {
    this.#listNext = true;
    this.#watch?.abort(RELIST);
  }

  /** Ends its back-off, if it is in one: the source has answered somebody else. */
  hurry(): void {
    this.#waiting?.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#listNext) this.#take(await this.#list(signal), signal);
        if (!this.#mayWatch) await this.#awaitCloud(signal);
        else if (!(await this.#watchOnce(signal))) await this.#wait(this.#backoff.next(), signal);
      } catch (error) {
        if (signal.aborted) return;
        if (errorCode(error) === "KUBE_GONE") {
          this.#failed(error);
          await this.#awaitTurn(signal);
        } else if (this.#options.optional && !isOutage(error)) {
          this.#listNext = true;
          this.#disconnected(asSelvedgeError(error));
          await this.#wait(this.#absentBackoff.next(), signal);
        } else {
          const delay = milliseconds(Math.max(this.#backoff.next(), askedPause(error)));
          this.#failed(error);
          await this.#wait(delay, signal);
        }
      }
    }
  }

  async #wait(delay: Duration, signal: AbortSignal): Promise<void> {
    this.#waiting = new AbortController();
    await sleep(this.#options.clock, delay, AbortSignal.any([signal, this.#waiting.signal]));
    this.#waiting = undefined;
  }

  /** Nobody hurries it: that the server is back is what a whole fleet has just heard. */
  async #awaitTurn(signal: AbortSignal): Promise<void> {
    const { clock, random, spread } = this.#options;
    await sleep(clock, milliseconds(Math.max(this.#goneBackoff.next(), spread * random())), signal);
  }

  /**
   * A metaServer's watch goes through to the cloud, and a cloudcore that may not read the resource waits for it for ever:
   * with it wait all requests of all nodes (its WaitForCacheSync; 1.15 to 1.23). So what it has not listed is not watched.
   */
  get #mayWatch(): boolean {
    return TRAITS[this.#options.source].resumes || this.#authoritative;
  }

  async #awaitCloud(signal: AbortSignal): Promise<void> {
    this.#listNext = true;
    // What the cloud does not have, and a cloud that is away, look alike here.
    if (this.#options.optional) await this.#wait(this.#absentBackoff.next(), signal);
    else await sleep(this.#options.clock, this.#cloudBackoff.next(), signal);
  }

  #list(signal: AbortSignal): Promise<ListResult<T>> {
    return listObjects(this.#options, signal);
  }

  #take(list: ListResult<T>, signal: AbortSignal): void {
    const { clock, emit } = this.#options;
    if (signal.aborted) return;
    this.#position = list.resourceVersion;
    this.#listNext = false;
    this.#silentWatches = 0;
    this.#authoritative = list.authoritative;
    if (list.authoritative) for (const backoff of [this.#cloudBackoff, this.#absentBackoff]) backoff.reset();
    this.#listedAt = clock.now();
    emit({ type: "list", ...list });
    if (list.authoritative) this.#connected();
    else this.#disconnected(cloudAbsent(this.#options.client.url));
  }

  /**
   * A watch that does not resume says nothing of what happened between the last list and its beginning, and metaServer
   * drops some events of its first moments too. A list while it is open tells.
   */
  async #listDuring(events: HeldEvents<T>, signal: AbortSignal): Promise<void> {
    await sleep(this.#options.clock, REPLAY_SILENCE, signal);
    if (signal.aborted) return;
    events.hold();
    let list: ListResult<T> | undefined;
    try {
      list = await this.#list(signal);
      this.#take(list, signal);
    } finally {
      events.release(list);
    }
    if (!list.authoritative) this.relist();
  }

  /** @returns whether to go on at once */
  async #watchOnce(signal: AbortSignal): Promise<boolean> {
    const { clock, emit, source } = this.#options;
    const traits = TRAITS[source];
    const events = new HeldEvents<T>((event) => {
      emit(event);
      if (event.type === "upsert" ? event.origin === "live" : event.type === "delete") this.#heard();
    });
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const watch = new Watch(
      {
        ...this.#options,
        traits,
        emit: (event) => events.take(event),
        onOpen: () => {
          opened = clock.now();
          if (!traits.resumes) listing = this.#listDuring(events, either).catch((error) => ended.abort(error));
          else if (this.#authoritative) this.#connected();
        },
      },
      this.#position,
    );
    let listing: Promise<void> | undefined;
    let worked = false;
    let asked = false;
    let failed = true;
    let opened: MonotonicTime | undefined;
    this.#watch = ended;
    if (!traits.resumes) this.#listNext = true;
    try {
      await watch.run(this.#drawSeconds(), either);
      failed = false;
    } catch (error) {
      if (!ended.signal.aborted) throw error;
      if (ended.signal.reason !== RELIST) throw ended.signal.reason;
    } finally {
      asked = ended.signal.aborted;
      ended.abort(RELIST);
      await listing;
      worked = opened !== undefined && elapsed(opened, clock.now()) >= WATCH_WORKED;
      if (worked) for (const backoff of [this.#backoff, this.#goneBackoff]) backoff.reset();
      // An end is no error, which would tell: only a list does, whether the source still makes sense.
      else if (!failed && this.#backoff.failures >= REFUSALS_MAX) this.#listNext = true;
      if (!watch.silent) this.#silentWatches = 0;
      else if (worked) this.#silentWatches += 1;
      if (this.#silentWatches >= SILENT_WATCHES_MAX) this.#listNext = true;
      this.#watch = undefined;
      this.#position = watch.position;
      if (traits.resumes && this.#position === undefined) this.#listNext = true;
    }
    return worked || asked;
  }

  /**
   * Draws a time-out unlike the last: metaServer takes two watches of the same words for one registration, and when
   * the old one is closed in the cloud the new one would go deaf.
   */
  #drawSeconds(): number {
    const traits = TRAITS[this.#options.source];
    const [least, most] = this.#authoritative ? traits.watchSeconds : traits.untrustedWatchSeconds;
    const drawn = least + Math.floor(this.#options.random() * (most - least + 1));
    const unlike = drawn === this.#watchSeconds ? (drawn === most ? least : drawn + 1) : drawn;
    this.#watchSeconds = unlike;
    return unlike;
  }

  /** Something happened live: where the last list was not the cloud's, the cloud is back and a list is due. */
  #heard(): void {
    const since = this.#listedAt;
    if (this.#authoritative || since === undefined) return;
    if (elapsed(since, this.#options.clock.now()) >= RELIST_GAP) this.relist();
  }

  #failed(error: unknown): void {
    const code = errorCode(error);
    // Who is overloaded says nothing of the version, and a list of everything is more work. A version that is too large is a 504.
    const answered = code !== "KUBE_UNREACHABLE" && code !== "KUBE_UNTRUSTED" && code !== "KUBE_BUSY";
    const refused = answered && this.#backoff.failures >= REFUSALS_MAX;
    if (code === "KUBE_GONE" || refused) this.#listNext = true;
    // A watch that breaks once is opened again within the second; only a second failure is worth a word.
    if (this.#state === "connected" && this.#backoff.failures < 2) return;
    this.#disconnected(asSelvedgeError(error));
  }

  #connected(): void {
    if (this.#state === "connected") return;
    this.#state = "connected";
    this.#options.emit({ type: "state", connected: true, error: undefined });
    this.#options.recovery?.connected(this);
  }

  #disconnected(error: SelvedgeError): void {
    this.#state = "disconnected";
    this.#options.emit({ type: "state", connected: false, error });
    this.#options.recovery?.disconnected(this, error);
  }
}

/** Retry-After. */
function askedPause(error: unknown): Duration {
  return (error instanceof SelvedgeError ? error.after : undefined) ?? milliseconds(0);
}

function cloudAbsent(url: string): SelvedgeError {
  return new SelvedgeError(`Cannot trust ${url} to be the cloud's word as it answers from its own store`, {
    code: "KUBE_CLOUD_ABSENT",
    blame: "peer",
    retry: "later",
    hint: "The node is cut off from its cloud, or (KubeEdge) dynamicController is off; everything goes on from the cache.",
  });
}

function asSelvedgeError(cause: unknown): SelvedgeError {
  if (cause instanceof SelvedgeError) return cause;
  return new SelvedgeError("Cannot follow the source as something unexpected happened", {
    code: "KUBE_UNEXPECTED",
    blame: "us",
    retry: "later",
    hint: "Please report this.",
    cause,
  });
}
