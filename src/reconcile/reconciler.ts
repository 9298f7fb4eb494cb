import { Backoff, type BackoffPolicy, type Random } from "../base/backoff.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Duration } from "../base/duration.ts";
import type { Scope } from "../base/scope.ts";

export interface ReconcilerOptions {
  /** Called with true on the slow timer and next after a failure: look at the world again, not only at what changed. */
  readonly run: (full: boolean) => Promise<void>;
  readonly onFailure: (error: unknown, retryIn: Duration) => void;
  readonly onSuccess: () => void;
  /** The slow timer. */
  readonly every: Duration;
  readonly backoff: BackoffPolicy;
}

/**
 * The loop around observe → plan → apply: one run at a time, a run after every trigger, triggers that come during a
 * run folded into one more, a slow timer that looks at everything, and a jittered back-off after a failure.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #scope: Scope;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #wanted: "nothing" | "changes" | "full" = "nothing";

  constructor(options: ReconcilerOptions, clock: Clock, random: Random, scope: Scope) {
    this.#options = options;
    this.#clock = clock;
    this.#backoff = new Backoff(options.backoff, random);
    this.#scope = scope;
    scope.onClose("reconciler", async () => {
      this.#timer?.cancel();
      await this.#running;
    });
  }

  /** Asks for a run. @returns when nothing is left to do, or the run failed and waits for its back-off */
  trigger(full = false): Promise<void> {
    if (this.#scope.signal.aborted) return Promise.resolve();
    this.#wanted = full || this.#wanted === "full" ? "full" : "changes";
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
      // Between the end of the last run and here somebody may have asked for one more.
      return this.#wanted === "nothing" ? undefined : this.trigger();
    });
    return this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#wanted !== "nothing" && !this.#scope.signal.aborted) {
      // What a failed run has left undone is in no change: the next run looks at everything, whoever asks for it.
      const full = this.#wanted === "full" || this.#backoff.failures > 0;
      this.#wanted = "nothing";
      // Triggers that never end hold up neither the slow timer nor what is due after a failure.
      if (full) this.#stopTimer();
      try {
        await this.#options.run(full);
      } catch (error) {
        this.#wanted = "nothing";
        const delay = this.#backoff.next();
        this.#options.onFailure(error, delay);
        this.#schedule(delay);
        return;
      }
      this.#backoff.reset();
      this.#options.onSuccess();
      if (this.#timer === undefined) this.#schedule(this.#options.every);
    }
  }

  #schedule(delay: Duration): void {
    this.#stopTimer();
    this.#timer = this.#clock.after(delay, () => {
      this.#timer = undefined;
      void this.trigger(true);
    });
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
