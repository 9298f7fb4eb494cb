import type { MonotonicTime } from "../../src/base/clock.ts";
import { type Duration, hours, milliseconds, seconds } from "../../src/base/duration.ts";
import { Rcode } from "../../src/wire/dns.ts";
import { type Answer, answerRcode } from "./answer.ts";
import { AnswerGeneration, type KeptAnswer, NOWHERE } from "./answer-generation.ts";

/** A node asks for some hundred outside names; CoreDNS keeps as many as this. */
const MAX_ENTRIES = 10_000;
/** One answer can have 64 KiB: entries alone bound nothing on a node with 512 MB. */
const MAX_BYTES = 4 * 1024 * 1024;

/** A record that says 0 is still good for the questions of the same second. */
const LEAST_TTL = seconds(1);
export const MOST_TTL = hours(24);
/** RFC 2308 section 5 finds one to three hours sensible. */
const MOST_NEGATIVE_TTL = hours(1);
/** RFC 9520 section 3.2 asks for at least one second: a broken zone is not asked for each retry. */
const FAILURE_TTL = seconds(2);

/** RFC 8767 section 5: the TTL shown on stale records, */
export const STALE_TTL_SECONDS = 30;
/** how long an answer that cannot be refreshed is good for nothing else, */
const MOST_STALE = hours(72);
/** and how long a failed refresh is not tried again. */
const FAILURE_RECHECK = seconds(30);

export type CachedAnswer = Omit<KeptAnswer, "recheckAt">;

/** What an answer says about how long it may be kept. */
export interface Lifetime {
  readonly ttlSeconds: number;
  readonly negative: boolean;
}

/**
 * Answers from upstream. An entry outlives its TTL: what cannot be refreshed is served stale (RFC 8767).
 *
 * There are two generations of half the room each. An entry of the older one that is used moves to the younger one, and
 * when that is full it becomes the older one, whose entries are then forgotten: so the half that was used last stays.
 */
export class AnswerCache {
  readonly #seed: number;
  #young = newGeneration();
  #old = newGeneration();

  /** @param seed unpredictable, so that nobody can choose names that share a hash */
  constructor(seed: number) {
    this.#seed = seed;
  }

  get entryCount(): number {
    return this.#young.count + this.#old.count;
  }

  get sizeBytes(): number {
    return this.#young.usedBytes + this.#old.usedBytes;
  }

  /** @returns an answer whose TTL has not passed */
  fresh(key: string, now: MonotonicTime): CachedAnswer | undefined {
    const kept = this.#find(key);
    return kept === undefined || now >= kept.expires ? undefined : kept;
  }

  /** @returns an answer past its TTL that is still better than none, and whether a refresh is due */
  stale(key: string, now: MonotonicTime): { readonly cached: CachedAnswer; readonly refreshDue: boolean } | undefined {
    const kept = this.#known(key, now);
    return kept === undefined ? undefined : { cached: kept, refreshDue: now >= kept.recheckAt };
  }

  put(key: string, answer: Answer, lifetime: Lifetime, now: MonotonicTime): CachedAnswer {
    const most = lifetime.negative ? MOST_NEGATIVE_TTL : MOST_TTL;
    const ttl = Math.min(most, Math.max(LEAST_TTL, seconds(lifetime.ttlSeconds)));
    return this.#keep(key, { answer, stored: now, expires: after(now, milliseconds(ttl)), recheckAt: now });
  }

  /** Nobody could answer. What was known before stays, and is not refreshed for a while. */
  putFailure(key: string, failure: Answer, now: MonotonicTime): void {
    const known = this.#known(key, now);
    if (known !== undefined) this.#keep(key, { ...known, recheckAt: after(now, FAILURE_RECHECK) });
    else this.#keep(key, { answer: failure, stored: now, expires: after(now, FAILURE_TTL), recheckAt: now });
  }

  /** What can be served, fresh or stale. */
  #known(key: string, now: MonotonicTime): KeptAnswer | undefined {
    const kept = this.#find(key);
    if (kept === undefined || (now < kept.expires + MOST_STALE && answerRcode(kept.answer) !== Rcode.ServFail)) {
      return kept;
    }
    this.#young.remove(this.#young.find(key, this.#hash(key)));
    return undefined;
  }

  /** What is found is used, and so is among the young. */
  #find(key: string): KeptAnswer | undefined {
    const hash = this.#hash(key);
    const young = this.#young.find(key, hash);
    if (young !== NOWHERE) return this.#young.read(young);
    const old = this.#old.find(key, hash);
    return old === NOWHERE ? undefined : this.#keep(key, this.#old.read(old));
  }

  #keep(key: string, kept: KeptAnswer): KeptAnswer {
    const hash = this.#hash(key);
    const old = this.#old.find(key, hash);
    if (old !== NOWHERE) this.#old.remove(old);
    if (!this.#young.put(key, hash, kept)) {
      [this.#young, this.#old] = [this.#old, this.#young];
      this.#young.clear();
      this.#young.put(key, hash, kept);
    }
    return kept;
  }

  /** FNV-1a. */
  #hash(key: string): number {
    let hash = 0x811c9dc5 ^ this.#seed;
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
    return hash;
  }
}

function newGeneration(): AnswerGeneration {
  return new AnswerGeneration({ bytes: MAX_BYTES / 2, entries: MAX_ENTRIES / 2 });
}

function after(now: MonotonicTime, delay: Duration): MonotonicTime {
  return (now + delay) as MonotonicTime;
}
