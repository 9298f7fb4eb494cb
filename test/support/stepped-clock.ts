import type { Clock, MonotonicTime, Timer } from "../../src/base/clock.ts";
import type { Duration } from "../../src/base/duration.ts";

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that stands still until `advance` moves it, running what falls due on the way in order. */
export class SteppedClock implements Clock {
  #now = 0;
  #order = 0;
  /** In the order in which they fall due: thousands of agents may have theirs on one clock. */
  readonly #pending: Pending[] = [];
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
    const entry = { at: this.#now + delay, order: this.#order++, run };
    this.#pending.splice(this.#placeOf(entry), 0, entry);
    return {
      cancel: () => {
        const place = this.#placeOf(entry);
        if (this.#pending[place] === entry) this.#pending.splice(place, 1);
      },
    };
  }

  /** Until the next timer; undefined: none is set. */
  get untilNext(): Duration | undefined {
    const [next] = this.#pending;
    return next === undefined ? undefined : ((next.at - this.#now) as Duration);
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Lets promises settle before and after each timer, so that what a timer starts is seen. */
  async advance(by: Duration): Promise<void> {
    const end = this.#now + by;
    await settle();
    for (;;) {
      const [next] = this.#pending;
      if (next === undefined || next.at > end) break;
      this.#pending.shift();
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settle();
    }
    this.#now = end;
  }

  /** How many come before it; the earlier of two at one time comes first. */
  #placeOf({ at, order }: Pending): number {
    let [low, high] = [0, this.#pending.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#pending[middle];
      if (other !== undefined && (other.at < at || (other.at === at && other.order < order))) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Lets everything that is ready to run, run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
