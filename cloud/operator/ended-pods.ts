import { Backoff, type BackoffPolicy, type Random } from "../../src/base/backoff.ts";
import type { MonotonicTime } from "../../src/base/clock.ts";
import { type Duration, milliseconds, minutes, seconds } from "../../src/base/duration.ts";

/** As the controller of DaemonSets has it: what ends as soon as it is made would be made a few times a second. */
const POLICY: BackoffPolicy = { initial: seconds(1), factor: 2, limit: minutes(15) };

/** When a pod that has ended has a successor: at once, and later each time while they go on ending. */
export class EndedPods {
  readonly #random: Random;
  readonly #nodes = new Map<string, { readonly backoff: Backoff; until: number }>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** @returns how long to wait; 0: it is replaced now, and the next one of this node waits longer */
  wait(node: string, now: MonotonicTime): Duration {
    const known = this.#nodes.get(node);
    if (known !== undefined && now < known.until) return milliseconds(known.until - now);
    // One that ran for so long did not end at once.
    const again = known !== undefined && now < known.until + POLICY.limit;
    const backoff = again ? known.backoff : new Backoff(POLICY, this.#random);
    this.#nodes.set(node, { backoff, until: now + backoff.next() });
    return milliseconds(0);
  }

  /** Nobody wants a pod there any more. */
  forget(node: string): void {
    this.#nodes.delete(node);
  }
}
