import type { Clock, Timer } from "../../src/base/clock.ts";
import { type Duration, minutes } from "../../src/base/duration.ts";
import type { Scope } from "../../src/base/scope.ts";

const COLLECT_EVERY: Duration = minutes(5);

/**
 * Has a thread's whole heap collected now and then, and what is free given back. The runtime does so by itself once a
 * good part of the heap was allocated anew, which takes an agent hours: an hour under churn grew by 12 MB, to 80 MB of
 * which 55 were needed.
 *
 * @param collect stops its thread for 4 to 10 ms with 1,000 services
 */
export function keepHeapSmall(clock: Clock, collect: () => void, scope: Scope): void {
  let timer: Timer;
  const again = () => {
    timer = clock.after(COLLECT_EVERY, () => {
      collect();
      again();
    });
  };
  again();
  scope.onClose("heap", () => timer.cancel());
}
