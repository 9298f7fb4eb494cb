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
  #pending: Pending[] = [];
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
    this.#pending.push(entry);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((p) => p !== entry);
      },
    };
  }

  /** Until the next timer; undefined: none is set. */
  get untilNext(): Duration | undefined {
    const due = this.#pending.map(({ at }) => at - this.#now);
    return due.length === 0 ? undefined : (Math.min(...due) as Duration);
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
      const next = this.#pending.filter((p) => p.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined) break;
      this.#pending = this.#pending.filter((p) => p !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settle();
    }
    this.#now = end;
  }
}

/** Lets everything that is ready to run, run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
