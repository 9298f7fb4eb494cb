import type { Clock, MonotonicTime, Timer } from "../../src/base/clock.ts";
import type { Duration } from "../../src/base/duration.ts";

interface Pending {
  readonly at: number;
  readonly run: () => void;
}

/** A clock that stands still until `advance` moves it, running what falls due on the way in order. */
export class SteppedClock implements Clock {
  #now = 0;
  readonly #pending = new Set<Pending>();
  readonly #wallStart: number;

  constructor(wallStart = Date.UTC(2026, 0, 1)) {
    this.#wallStart = wallStart;
  }

  now(): MonotonicTime {
    return this.#now as MonotonicTime;
  }

  wall(): number {
    return this.#wallStart + this.#now;
  }

  after(delay: Duration, run: () => void): Timer {
    const entry = { at: this.#now + delay, run };
    this.#pending.add(entry);
    return {
      cancel: () => void this.#pending.delete(entry),
    };
  }

  /** Until the next timer; undefined: none is set. */
  get untilNext(): Duration | undefined {
    const next = this.#next();
    return next === undefined ? undefined : ((next.at - this.#now) as Duration);
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Lets promises settle before and after each timer, so that what a timer starts is seen. */
  async advance(by: Duration): Promise<void> {
    const end = this.#now + by;
    await settle();
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.at > end) break;
      this.#pending.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settle();
    }
    this.#now = end;
  }

  /** In a set, the earlier of two at one time comes first. */
  #next(): Pending | undefined {
    let next: Pending | undefined;
    for (const entry of this.#pending) if (next === undefined || entry.at < next.at) next = entry;
    return next;
  }
}

/** Lets everything that is ready to run, run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
