import { seconds } from "../../src/base/duration.ts";
import type { Counter, Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import { ExtendedError, Rcode } from "../../src/wire/dns.ts";
import type { DnsName } from "../../src/wire/dns-name.ts";
import { makeAnswer } from "./answer.ts";
import { AnswerCache, type CachedAnswer } from "./answer-cache.ts";
import { type AskOutcome, AskUpstreams } from "./ask-upstreams.ts";
import { type PoolDeps, UpstreamPool } from "./upstream-pool.ts";

/** Each has up to three sockets: with those of clients, still below the usual limit of 1,024 descriptors. */
const MAX_FORWARDS = 200;
/** RFC 8767 section 5: clients give up soon after this, so a stale answer has to go out now. */
const CLIENT_RESPONSE = seconds(1.8);

export interface ForwardQuestion {
  /** In lower case. */
  readonly name: DnsName;
  readonly type: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

export type Forwarded =
  | { readonly kind: "answer"; readonly source: "cache" | "stale" | "upstream"; readonly cached: CachedAnswer }
  | { readonly kind: "failed"; readonly extendedError: number | undefined };

export interface ForwarderDeps extends PoolDeps {
  readonly metrics: Metrics;
}

/** Names outside the cluster: from the cache, from an upstream, or stale when no upstream answers. */
export class Forwarder {
  readonly pool: UpstreamPool;
  readonly cache: AnswerCache;
  readonly #deps: ForwarderDeps;
  readonly #signal: AbortSignal;
  readonly #forwards: Counter;
  readonly #flights = new Map<string, Promise<Forwarded>>();

  constructor(deps: ForwarderDeps, scope: Scope) {
    this.#deps = deps;
    this.#signal = scope.signal;
    this.cache = new AnswerCache(deps.randomWord());
    this.#forwards = deps.metrics.counter("dns_forward_total", "Questions sent to upstream servers, by result.");
    this.pool = new UpstreamPool(deps, scope);
  }

  /** What can be said without asking anybody. */
  answerNow(question: ForwardQuestion): Forwarded | undefined {
    const now = this.#deps.clock.now();
    const key = questionKey(question);
    const fresh = this.cache.fresh(key, now);
    if (fresh !== undefined) return { kind: "answer", source: "cache", cached: fresh };
    const room = this.#flights.has(key) || this.#flights.size < MAX_FORWARDS;
    const canAsk = room && this.pool.usable().length > 0;
    const stale = this.cache.stale(key, now);
    if (stale !== undefined && !(canAsk && stale.refreshDue)) {
      return { kind: "answer", source: "stale", cached: stale.cached };
    }
    return canAsk ? undefined : { kind: "failed", extendedError: ExtendedError.NoReachableAuthority };
  }

  async answer(question: ForwardQuestion): Promise<Forwarded> {
    const now = this.answerNow(question);
    if (now !== undefined) return now;
    const { clock } = this.#deps;
    const key = questionKey(question);
    const flight = this.#join(key, question);
    const stale = this.cache.stale(key, clock.now());
    if (stale === undefined) return flight;
    const staleAnswer: Forwarded = { kind: "answer", source: "stale", cached: stale.cached };
    if (!this.pool.isUp) return staleAnswer;
    const { promise, resolve } = Promise.withResolvers<Forwarded>();
    const timer = clock.after(CLIENT_RESPONSE, () => resolve(staleAnswer));
    void flight.then((outcome) => {
      timer.cancel();
      resolve(outcome.kind === "failed" ? staleAnswer : outcome);
    });
    return promise;
  }

  /** One question is on its way once, however many clients ask it; a loop through us so ends here too. */
  #join(key: string, question: ForwardQuestion): Promise<Forwarded> {
    const before = this.#flights.get(key);
    if (before !== undefined) return before;
    const flight = this.#fly(key, question).finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  async #fly(key: string, question: ForwardQuestion): Promise<Forwarded> {
    const outcome = await new AskUpstreams(question, this.pool.usable(), this.#deps).run(this.#signal);
    this.#forwards.add(1, { result: outcome.kind });
    const now = this.#deps.clock.now();
    if (outcome.kind !== "answer") {
      if (outcome.kind !== "cancelled") {
        this.cache.putFailure(key, makeAnswer(question.name, { flags: Rcode.ServFail }), now);
      }
      return { kind: "failed", extendedError: extendedErrorOf(outcome) };
    }
    const { answer, lifetime } = outcome.found;
    const cached =
      lifetime === undefined ? { answer, stored: now, expires: now } : this.cache.put(key, answer, lifetime, now);
    return { kind: "answer", source: "upstream", cached };
  }
}

/** RFC 8914 sections 4.23 and 4.24. */
function extendedErrorOf(outcome: AskOutcome): number | undefined {
  if (outcome.kind === "silent") return ExtendedError.NoReachableAuthority;
  return outcome.kind === "network" ? ExtendedError.NetworkError : undefined;
}

/** Whether signatures are wanted, and whether unverified data is welcome, makes for other answers. */
function questionKey({ name, type, dnssecOk, checkingDisabled }: ForwardQuestion): string {
  return `${name}${type} ${dnssecOk ? "D" : ""}${checkingDisabled ? "C" : ""}`;
}
