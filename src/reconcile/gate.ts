import { Backoff, type BackoffPolicy, type Random } from "../base/backoff.ts";
import type { MonotonicTime } from "../base/clock.ts";
import { type Duration, milliseconds, seconds } from "../base/duration.ts";

/** Back within 10 s of a server that has become steady again; less than a request a second of one that is away. */
export const GATE_POLICY: BackoffPolicy = { initial: milliseconds(500), factor: 2, limit: seconds(8) };

/**
 * What stands between a queue and a server that may be away as a whole: after a failure that is the server's, nobody asks
 * until its back-off is over, then one does, and when that works everybody.
 */
export class Gate {
  readonly #backoff: Backoff;
  #closedAt: MonotonicTime | undefined;
  #closedUntil: MonotonicTime | undefined;

  constructor(random: Random, policy: BackoffPolicy = GATE_POLICY) {
    this.#backoff = new Backoff(policy, random);
  }

  /** How many may work at the same time now: 0, 1 or `most`. */
  width(now: MonotonicTime, most: number): number {
    if (this.#closedUntil === undefined) return most;
    return now < this.#closedUntil ? 0 : 1;
  }

  /** When it lets somebody through; undefined: it is open. */
  get opensAt(): MonotonicTime | undefined {
    return this.#closedUntil;
  }

  /** The server answered, whatever it said of the one thing that it was asked. */
  open(askedAt: MonotonicTime): void {
    if (this.#isOld(askedAt)) return;
    this.#closedUntil = undefined;
    this.#backoff.reset();
  }

  /** @param least what the server asked for */
  close(askedAt: MonotonicTime, now: MonotonicTime, least: Duration = milliseconds(0)): void {
    const delay = this.#isOld(askedAt) ? least : milliseconds(Math.max(least, this.#backoff.next()));
    this.#closedUntil = Math.max(this.#closedUntil ?? now, now + delay) as MonotonicTime;
    this.#closedAt = now;
  }

  /** Those who were on their way when it closed tell nothing new. */
  #isOld(askedAt: MonotonicTime): boolean {
    return this.#closedUntil !== undefined && this.#closedAt !== undefined && askedAt <= this.#closedAt;
  }
}
