import { type Clock, elapsed, type MonotonicTime, type Timer } from "../../src/base/clock.ts";
import { type Duration, milliseconds, seconds } from "../../src/base/duration.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";

/** The event loop is looked at this often: a lag shorter than this hurts no DNS client (resolv.conf waits 5 s). */
const BEAT = seconds(1);

/** An agent whose loop stood still this long does nothing for anybody: the service manager shall start it again. */
export const STALL = seconds(30);

/** A busy moment is none: at this, somebody who waits has noticed. */
const WORTH_TELLING = milliseconds(250);

/**
 * Beats while the event loop turns. How late a beat comes is the loop's lag; a loop that stands still does not beat,
 * so the service manager's watchdog, which a beat feeds, runs out by itself.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #onBeat: (lag: Duration) => void;
  #expected: MonotonicTime;
  #lag: Duration = seconds(0);
  #worst: Duration = seconds(0);
  #timer: Timer;

  /** @param onBeat such as sd_notify's WATCHDOG=1 */
  constructor(clock: Clock, onBeat: (lag: Duration) => void, scope: Scope) {
    this.#clock = clock;
    this.#onBeat = onBeat;
    this.#expected = this.#next();
    this.#timer = clock.after(BEAT, () => this.#beat());
    scope.onClose("watchdog", () => this.#timer.cancel());
  }

  /** Of the last beat, or, when that is overdue by more, of the one that is awaited. */
  get lag(): Duration {
    return Math.max(this.#lag, elapsed(this.#expected, this.#clock.now())) as Duration;
  }

  /** The longest lag since it was last taken: one scrape sees every stall. */
  takeWorstLag(): Duration {
    const worst = Math.max(this.#worst, this.lag) as Duration;
    this.#worst = seconds(0);
    return worst;
  }

  alive(): boolean {
    return elapsed(this.#expected, this.#clock.now()) < STALL;
  }

  #beat(): void {
    this.#lag = Math.max(0, elapsed(this.#expected, this.#clock.now())) as Duration;
    this.#worst = Math.max(this.#worst, this.#lag) as Duration;
    this.#expected = this.#next();
    this.#onBeat(this.#lag);
    this.#timer = this.#clock.after(BEAT, () => this.#beat());
  }

  #next(): MonotonicTime {
    return (this.#clock.now() + BEAT) as MonotonicTime;
  }
}

/** Says when a thread's loop stood still: the log's next lines are then late for a reason. */
export function logStall(log: Log, thread: string, lag: Duration): void {
  if (lag < WORTH_TELLING) return;
  log.warn("agent.stalled", "The event loop stood still.", { name: thread, duration_ms: Math.round(lag) });
}
