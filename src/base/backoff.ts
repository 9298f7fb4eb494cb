import { type Duration, milliseconds } from "./duration.ts";

export interface BackoffPolicy {
  readonly initial: Duration;
  readonly factor: number;
  readonly limit: Duration;
}

/** A number in [0, 1): randomness is an argument, so that plans and tests are exact. */
export type Random = () => number;

/**
 * Exponential back-off with equal jitter: the n-th delay is uniform in [ceiling/2, ceiling) where the ceiling grows
 * by `factor` up to `limit`. Half the ceiling is kept so that a retry never comes at once.
 */
export class Backoff {
  readonly #policy: BackoffPolicy;
  readonly #random: Random;
  #failures = 0;

  constructor(policy: BackoffPolicy, random: Random) {
    this.#policy = policy;
    this.#random = random;
  }

  get failures(): number {
    return this.#failures;
  }

  next(): Duration {
    const { initial, factor, limit } = this.#policy;
    const ceiling = Math.min(limit, initial * factor ** Math.min(this.#failures, 64));
    this.#failures += 1;
    return milliseconds(ceiling / 2 + (ceiling / 2) * this.#random());
  }

  reset(): void {
    this.#failures = 0;
  }
}
