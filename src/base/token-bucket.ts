import type { MonotonicTime } from "./clock.ts";

export interface Rate {
  readonly perSecond: number;
  /** How many may come at once after a quiet time. */
  readonly burst: number;
}

/** Lets through `burst` at once and `perSecond` in the long run. */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #at: MonotonicTime;

  constructor(rate: Rate, now: MonotonicTime) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#at = now;
  }

  take(now: MonotonicTime): boolean {
    this.#fill(now);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** When the next one may come. */
  readyAt(now: MonotonicTime): MonotonicTime {
    this.#fill(now);
    const missing = Math.max(0, 1 - this.#tokens);
    return (now + (missing / this.#rate.perSecond) * 1000) as MonotonicTime;
  }

  #fill(now: MonotonicTime): void {
    const { perSecond, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) / 1000) * perSecond);
    this.#at = now;
  }
}
