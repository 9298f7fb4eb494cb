import { type Duration, milliseconds } from "../../src/base/duration.ts";
import { SteppedClock } from "./stepped-clock.ts";

/** A program's time that goes as fast as is said; what the network does meanwhile takes what it takes. */
export class DrivenClock extends SteppedClock {
  /** For each millisecond of the real one, or longer. */
  step: Duration = milliseconds(2);
  #stopped = false;

  async drive(): Promise<void> {
    while (!this.#stopped) {
      await this.advance(this.step);
      await Bun.sleep(1); // lets sockets be heard
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}
