import { Backoff, type BackoffPolicy, type Random } from "../base/backoff.ts";
import type { MonotonicTime } from "../base/clock.ts";
import { type Duration, milliseconds } from "../base/duration.ts";
import { DueHeap } from "./due-heap.ts";

/** change: something happened; sweep: looked at because it is time, or because everything is. */
export type Lane = "change" | "sweep";

/** So many changes go before one key of the sweep that waits: a change is quick, and the sweep gets to its end. */
const CHANGES_A_SWEEP = 3;

interface Waiting {
  readonly lane: Lane;
  readonly since: MonotonicTime;
}

/** A key that is being worked on. */
interface Working {
  readonly lane: Lane;
  /** It was added meanwhile: what is being done may not have seen why. */
  again: Lane | undefined;
}

export interface Taken<Key> {
  readonly key: Key;
  /** How long it was ready. */
  readonly waited: Duration;
}

/**
 * What is to be done, one key each: a key that is added twice is done once, one that is added while it is worked on is
 * done once more afterwards, and never two at a time. Ready keys come in the order of their arrival.
 */
export class KeyQueue<Key> {
  readonly #policy: BackoffPolicy;
  readonly #random: Random;
  /** Maps keep the order of insertion: they are the queues. */
  readonly #lanes: Readonly<Record<Lane, Map<Key, Waiting>>> = { change: new Map(), sweep: new Map() };
  readonly #working = new Map<Key, Working>();
  readonly #delayed = new DueHeap<Key>();
  readonly #failing = new Map<Key, Backoff>();
  #changesInARow = 0;

  constructor(policy: BackoffPolicy, random: Random) {
    this.#policy = policy;
    this.#random = random;
  }

  /** Keys that are ready. */
  get depth(): number {
    return this.#lanes.change.size + this.#lanes.sweep.size;
  }

  /** Keys that wait for their time. */
  get delayed(): number {
    return this.#delayed.size;
  }

  get working(): number {
    return this.#working.size;
  }

  /** How often in a row the key has failed. */
  failures(key: Key): number {
    return this.#failing.get(key)?.failures ?? 0;
  }

  /** Whatever delay the key has, it is over. @returns whether that was news */
  add(key: Key, lane: Lane, now: MonotonicTime): boolean {
    this.#delayed.delete(key);
    const working = this.#working.get(key);
    if (working !== undefined) {
      const news = working.again === undefined;
      working.again = working.again === "change" ? "change" : lane;
      return news;
    }
    const waiting = this.#lanes.sweep.get(key);
    if (this.#lanes.change.has(key) || (waiting !== undefined && lane === "sweep")) return false;
    this.#lanes.sweep.delete(key);
    this.#lanes[lane].set(key, { lane, since: waiting?.since ?? now });
    return waiting === undefined;
  }

  /** Adds the key when its time comes; of two times, the earlier one. One that is ready already stays ready. */
  addAt(key: Key, at: MonotonicTime): void {
    if (this.#lanes.change.has(key) || this.#lanes.sweep.has(key)) return;
    const before = this.#delayed.dueAt(key);
    if (before === undefined || at < before) this.#delayed.set(key, at);
  }

  take(now: MonotonicTime): Taken<Key> | undefined {
    this.#ripen(now);
    const { change, sweep } = this.#lanes;
    const sweepNext = sweep.size > 0 && (change.size === 0 || this.#changesInARow >= CHANGES_A_SWEEP);
    const [next] = sweepNext ? sweep : change;
    if (next === undefined) return undefined;
    const [key, { lane, since }] = next;
    this.#changesInARow = lane === "change" ? this.#changesInARow + 1 : 0;
    this.#lanes[lane].delete(key);
    this.#working.set(key, { lane, again: undefined });
    return { key, waited: milliseconds(now - since) };
  }

  /** The key's work is done; it has no failures any more. */
  succeed(key: Key, now: MonotonicTime): void {
    this.#failing.delete(key);
    this.#finish(key, now);
  }

  /**
   * The key's work failed: it comes again after its back-off, or at once where something happened to it meanwhile.
   *
   * @param least what the other side asked for
   * @returns how long it waits
   */
  fail(key: Key, now: MonotonicTime, least: Duration = milliseconds(0)): Duration {
    const backoff = this.#failing.get(key) ?? new Backoff(this.#policy, this.#random);
    this.#failing.set(key, backoff);
    const delay = milliseconds(Math.max(least, backoff.next()));
    if (!this.#finish(key, now)) this.addAt(key, (now + delay) as MonotonicTime);
    return delay;
  }

  /** When there is something to take; undefined: not before something is added. */
  readyAt(now: MonotonicTime): MonotonicTime | undefined {
    return this.depth > 0 ? now : this.#delayed.nextAt;
  }

  /** @returns whether it is ready again */
  #finish(key: Key, now: MonotonicTime): boolean {
    const again = this.#working.get(key)?.again;
    this.#working.delete(key);
    if (again !== undefined) this.add(key, again, now);
    return again !== undefined;
  }

  #ripen(now: MonotonicTime): void {
    for (let due = this.#delayed.takeDue(now); due !== undefined; due = this.#delayed.takeDue(now)) {
      this.add(due.key, "sweep", due.at);
    }
  }
}
