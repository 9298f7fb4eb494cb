import type { Random } from "../../src/base/backoff.ts";
import { elapsed, type MonotonicTime } from "../../src/base/clock.ts";
import { type Duration, minutes, seconds } from "../../src/base/duration.ts";

/** Until another address is tried: a round trip and what a slow card takes to sign. Doubled after all were tried. */
const PATIENCE = seconds(2);
const LONGEST_PATIENCE = seconds(30);
/** How long a worse address has to do well before a better one is tried; doubled each time that one does not answer. */
const RETURN_AFTER = minutes(10);
const LATEST_RETURN = minutes(160);
/** Nothing is down while a better address is tried: so it gets more time. */
const TRIAL_PATIENCE = seconds(10);

/**
 * Which of a connector's addresses a node uses: the first of its ranking that answers. It leaves one that does not, and
 * comes back to a better one only after a long time without trouble, so that nodes spread again over a pool that is
 * whole again, and none goes back and forth.
 */
export class ConnectorChoice {
  readonly #addresses: readonly string[];
  readonly #random: Random;
  #index: number;
  #since: MonotonicTime;
  #patience: number = PATIENCE;
  #tried = 1;
  #upSince: MonotonicTime | undefined;
  #returnAfter: number = RETURN_AFTER;
  #returnIn: number;
  /** While a better address is tried: where to go back to. */
  #before: number | undefined;

  /**
   * @param ranked best first, at least one
   * @param inUse where a tunnel that is up leads
   */
  constructor(ranked: readonly string[], inUse: string | undefined, now: MonotonicTime, random: Random) {
    this.#addresses = ranked;
    this.#random = random;
    this.#index = Math.max(0, inUse === undefined ? 0 : ranked.indexOf(inUse));
    this.#since = now;
    this.#returnIn = this.#jittered();
  }

  get address(): string {
    return this.#addresses[this.#index] ?? "";
  }

  /**
   * Looks at what is.
   *
   * @param up whether the tunnel to the address chosen last is up; one to an address before it does not count
   * @returns whether another address is chosen now, or the same is to be tried anew
   */
  look(now: MonotonicTime, up: boolean): boolean {
    return up ? this.#lookUp(now) : this.#lookDown(now);
  }

  /** It is up and carries nothing. A better address that was tried goes back where it came from. */
  leave(now: MonotonicTime): void {
    this.#upSince = undefined;
    if (this.#before !== undefined) this.#abandonTrial(now);
    else this.#next(now);
  }

  #lookUp(now: MonotonicTime): boolean {
    this.#upSince ??= now;
    this.#patience = PATIENCE;
    this.#tried = 1;
    if (this.#before !== undefined) {
      this.#before = undefined;
      this.#returnAfter = RETURN_AFTER;
    }
    if (this.#index === 0 || elapsed(this.#upSince, now) < this.#returnIn) return false;
    this.#before = this.#index;
    this.#choose(0, now);
    return true;
  }

  #lookDown(now: MonotonicTime): boolean {
    // What was up until now gets its time to come back.
    if (this.#upSince !== undefined) this.#since = now;
    this.#upSince = undefined;
    const waited = elapsed(this.#since, now);
    if (this.#before !== undefined) {
      if (waited < TRIAL_PATIENCE) return false;
      this.#abandonTrial(now);
      return true;
    }
    // A single address is charon's to try again.
    if (this.#addresses.length === 1 || waited < this.#patience) return false;
    this.#next(now);
    return true;
  }

  #abandonTrial(now: MonotonicTime): void {
    this.#returnAfter = Math.min(this.#returnAfter * 2, LATEST_RETURN);
    this.#choose(this.#before ?? 0, now);
    this.#before = undefined;
  }

  #next(now: MonotonicTime): void {
    if (this.#tried % this.#addresses.length === 0) this.#patience = Math.min(this.#patience * 2, LONGEST_PATIENCE);
    this.#tried += 1;
    this.#choose((this.#index + 1) % this.#addresses.length, now);
  }

  #choose(index: number, now: MonotonicTime): void {
    this.#index = index;
    this.#since = now;
    this.#upSince = undefined;
    this.#returnIn = this.#jittered();
  }

  /** Nodes that left an address together do not come back together. */
  #jittered(): Duration {
    return (this.#returnAfter * (1 + this.#random())) as Duration;
  }
}
