import type { MonotonicTime } from "../../src/base/clock.ts";
import { type Duration, hours, milliseconds, seconds } from "../../src/base/duration.ts";
import { Rcode } from "../../src/wire/dns.ts";
import { type Answer, answerRcode } from "./answer.ts";

/** A node asks for some hundred outside names; CoreDNS keeps as many as this. */
const MAX_ENTRIES = 10_000;
/** One answer can have 64 KiB: entries alone bound nothing on a node with 512 MB. */
const MAX_BYTES = 4 * 1024 * 1024;
/** What a map entry and its objects take beside the bytes, roughly. */
const ENTRY_BYTES = 300;

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

export interface CachedAnswer {
  readonly answer: Answer;
  readonly stored: MonotonicTime;
  readonly expires: MonotonicTime;
}

interface Entry extends CachedAnswer {
  readonly bytes: number;
  /** A refresh failed: the stale answer goes out without another try until then. */
  recheckAt: MonotonicTime;
}

/** What an answer says about how long it may be kept. */
export interface Lifetime {
  readonly ttlSeconds: number;
  readonly negative: boolean;
}

/**
 * Answers from upstream, least recently used out first. An entry outlives its TTL: what cannot be refreshed is served
 * stale (RFC 8767).
 */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  get entryCount(): number {
    return this.#entries.size;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  /** @returns an answer whose TTL has not passed */
  fresh(key: string, now: MonotonicTime): CachedAnswer | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || now >= entry.expires) return undefined;
    this.#use(key, entry);
    return entry;
  }

  /** @returns an answer past its TTL that is still better than none, and whether a refresh is due */
  stale(key: string, now: MonotonicTime): { readonly cached: CachedAnswer; readonly refreshDue: boolean } | undefined {
    const entry = this.#known(key, now);
    if (entry === undefined) return undefined;
    this.#use(key, entry);
    return { cached: entry, refreshDue: now >= entry.recheckAt };
  }

  put(key: string, answer: Answer, lifetime: Lifetime, now: MonotonicTime): CachedAnswer {
    const most = lifetime.negative ? MOST_NEGATIVE_TTL : MOST_TTL;
    const ttl = Math.min(most, Math.max(LEAST_TTL, seconds(lifetime.ttlSeconds)));
    return this.#put(key, answer, milliseconds(ttl), now);
  }

  /** Nobody could answer. What was known before stays, and is not refreshed for a while. */
  putFailure(key: string, failure: Answer, now: MonotonicTime): void {
    const known = this.#known(key, now);
    if (known === undefined) this.#put(key, failure, FAILURE_TTL, now);
    else known.recheckAt = after(now, FAILURE_RECHECK);
  }

  /** What can be served, fresh or stale. */
  #known(key: string, now: MonotonicTime): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || (now < entry.expires + MOST_STALE && answerRcode(entry.answer) !== Rcode.ServFail)) {
      return entry;
    }
    this.#remove(key, entry);
    return undefined;
  }

  #put(key: string, answer: Answer, ttl: Duration, now: MonotonicTime): CachedAnswer {
    const before = this.#entries.get(key);
    if (before !== undefined) this.#remove(key, before);
    const bytes = ENTRY_BYTES + key.length + answer.body.length;
    const entry: Entry = { answer, stored: now, expires: after(now, ttl), bytes, recheckAt: now };
    this.#entries.set(key, entry);
    this.#bytes += bytes;
    for (const [oldest, old] of this.#entries) {
      if (this.#entries.size <= MAX_ENTRIES && this.#bytes <= MAX_BYTES) break;
      this.#remove(oldest, old);
    }
    return entry;
  }

  /** A map keeps the order of insertion: the last is the one used last. */
  #use(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

function after(now: MonotonicTime, delay: Duration): MonotonicTime {
  return (now + delay) as MonotonicTime;
}
