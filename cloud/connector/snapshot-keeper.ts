import type { Clock, Timer } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import type { Scope } from "../../src/base/scope.ts";
import { formatSnapshot, type Snapshot } from "./snapshot.ts";

export interface SnapshotKeeperOptions {
  readonly snapshot: () => Snapshot;
  /** @throws where it cannot be kept */
  readonly write: (text: string) => void;
  readonly onFailure: (error: unknown) => void;
  readonly clock: Clock;
}

/** A fleet that comes at once changes it with each edge. */
const GAP = seconds(1);

/** Keeps what was heard for the next run, at most a second after it was. */
export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  #timer: Timer | undefined;
  #kept = "";

  constructor(options: SnapshotKeeperOptions, scope: Scope) {
    this.#options = options;
    scope.onClose("snapshot", () => {
      if (this.#timer === undefined) return;
      this.#timer.cancel();
      this.#keep();
    });
  }

  /** Something may be news. */
  note(): void {
    this.#timer ??= this.#options.clock.after(GAP, () => {
      this.#timer = undefined;
      this.#keep();
    });
  }

  #keep(): void {
    const { snapshot, write, onFailure } = this.#options;
    const text = formatSnapshot(snapshot());
    if (text === this.#kept) return;
    try {
      write(text);
      this.#kept = text;
    } catch (error) {
      onFailure(error);
    }
  }
}
