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

  /** @returns how long the node's next one has to wait */
  wait(node: string, now: MonotonicTime): Duration {
    return milliseconds(Math.max(0, (this.#nodes.get(node)?.until ?? now) - now));
  }

  /** It has a successor, whose own waits longer. */
  replaced(node: string, now: MonotonicTime): void {
    const known = this.#nodes.get(node);
    // One that ran for so long did not end at once.
    const again = known !== undefined && now < known.until + POLICY.limit;
    const backoff = again ? known.backoff : new Backoff(POLICY, this.#random);
    this.#nodes.set(node, { backoff, until: now + backoff.next() });
  }

  /** Nobody wants a pod there any more. */
  forget(node: string): void {
    this.#nodes.delete(node);
  }
}
