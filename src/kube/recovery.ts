import { Backoff, type BackoffPolicy, type Random } from "../base/backoff.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { seconds } from "../base/duration.ts";
import { errorCode, type SelvedgeError } from "../base/errors.ts";
import type { Scope } from "../base/scope.ts";

/**
 * How often a source that is away is asked by one list–watch, whatever its own back-off has grown to: a program that has
 * eight of them and a lease stays below one request a second.
 */
const PULSE: BackoffPolicy = { initial: seconds(6), factor: 1, limit: seconds(6) };
/** A watch that has stood for so long is not one of a source that comes and goes by the second. */
const STEADY = seconds(2);
/** Who is overloaded, or refuses, is there: it is not asked more often for that. */
const AWAY = new Set(["KUBE_UNREACHABLE", "KUBE_UNTRUSTED", "KUBE_UNAVAILABLE"]);

/** A list–watch that may be in its back-off. */
export interface Waiting {
  hurry(): void;
}

/**
 * Notices for all list–watches of one source that it is back: of those that are away the first one asks every few
 * seconds, and once one's watch stands the others need not sit out the minute that their pauses have grown to.
 */
export class Recovery {
  readonly #clock: Clock;
  readonly #pulse: Backoff;
  readonly #away = new Set<Waiting>();
  /** It has just come back, and may be gone again in a moment. */
  #witness: Waiting | undefined;
  #timer: Timer | undefined;

  /** @param scope that the list–watches are in too */
  constructor(clock: Clock, random: Random, scope: Scope) {
    this.#clock = clock;
    this.#pulse = new Backoff(PULSE, random);
    scope.onClose("recovery", () => this.#timer?.cancel());
  }

  connected(listWatch: Waiting): void {
    if (!this.#away.delete(listWatch) || this.#witness !== undefined) return;
    this.#witness = listWatch;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(STEADY, () => {
      this.#witness = undefined;
      for (const other of this.#away) other.hurry();
      this.#beat();
    });
  }

  disconnected(listWatch: Waiting, error: SelvedgeError): void {
    if (AWAY.has(errorCode(error))) this.#away.add(listWatch);
    else this.#away.delete(listWatch);
    if (this.#witness === listWatch) {
      this.#witness = undefined;
      this.#timer?.cancel();
      this.#beat();
    } else if (this.#timer === undefined) this.#beat();
  }

  #beat(): void {
    this.#timer = this.#clock.after(this.#pulse.next(), () => {
      this.#timer = undefined;
      const [first] = this.#away;
      if (first === undefined) return;
      first.hurry();
      this.#beat();
    });
  }
}
