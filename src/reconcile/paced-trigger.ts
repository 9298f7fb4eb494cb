import type { Clock, Timer } from "../base/clock.ts";
import type { Duration } from "../base/duration.ts";
import type { Scope } from "../base/scope.ts";

/**
 * Passes on that something has changed: the first time at once, and what follows within a pause together at its end. So
 * others who are busy do not keep us busy.
 */
export class PacedTrigger {
  readonly #trigger: (full: boolean) => void;
  readonly #pause: Duration;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #meanwhile: "nothing" | "changes" | "full" = "nothing";

  /** @param trigger told whether everything is to be looked at */
  constructor(trigger: (full: boolean) => void, pause: Duration, clock: Clock, scope: Scope) {
    this.#trigger = trigger;
    this.#pause = pause;
    this.#clock = clock;
    scope.onClose("pause", () => this.#timer?.cancel());
  }

  changed(full: boolean): void {
    if (this.#timer !== undefined) {
      this.#meanwhile = full || this.#meanwhile === "full" ? "full" : "changes";
      return;
    }
    this.#trigger(full);
    this.#timer = this.#clock.after(this.#pause, () => {
      this.#timer = undefined;
      const meanwhile = this.#meanwhile;
      this.#meanwhile = "nothing";
      if (meanwhile !== "nothing") this.changed(meanwhile === "full");
    });
  }
}
