import type { Clock, MonotonicTime, Timer } from "../base/clock.ts";
import { type Duration, milliseconds } from "../base/duration.ts";

/** What setTimeout takes; it would run a longer one at once. */
const TIMER_LIMIT = 2 ** 31 - 1;

/** The machine's own time. */
export class SystemClock implements Clock {
  now(): MonotonicTime {
    return performance.now() as MonotonicTime;
  }

  wall(): number {
    return Date.now();
  }

  after(delay: Duration, run: () => void): Timer {
    if (delay <= TIMER_LIMIT) {
      const timer = setTimeout(run, delay);
      return { cancel: () => clearTimeout(timer) };
    }
    let rest: Timer | undefined;
    const timer = setTimeout(() => {
      rest = this.after(milliseconds(delay - TIMER_LIMIT), run);
    }, TIMER_LIMIT);
    return {
      cancel: () => {
        clearTimeout(timer);
        rest?.cancel();
      },
    };
  }
}
