import { elapsed, type MonotonicTime } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";

/** Who says nothing for so long is rather a connection kept for later than an answer that takes its time. */
const IDLE_LEAST = seconds(10);
/** Of the idle ones so many are closed at once: a flood of callers shall not look at all connections each. */
const CLOSED_AT_ONCE = 64;
/** When nobody was idle, nobody has become idle a moment later. */
const LOOK_AGAIN = seconds(1);

/** What can be closed to make room. */
export interface OpenRelay {
  /** When a byte last went through it, or when it was opened. */
  readonly activeAt: MonotonicTime;
  /** Ends both ends with a reset. */
  close(): void;
}

/** The connections that are open. When they are too many, those go that have been idle for longest. */
export class OpenRelays {
  readonly #relays = new Set<OpenRelay>();
  #nobodyIdleAt: MonotonicTime | undefined;

  add(relay: OpenRelay): void {
    this.#relays.add(relay);
  }

  delete(relay: OpenRelay): void {
    this.#relays.delete(relay);
  }

  /** @returns how many were closed: 0 when all are in use */
  closeIdle(now: MonotonicTime): number {
    if (this.#nobodyIdleAt !== undefined && elapsed(this.#nobodyIdleAt, now) < LOOK_AGAIN) return 0;
    const idle = [...this.#relays].filter(({ activeAt }) => elapsed(activeAt, now) >= IDLE_LEAST);
    this.#nobodyIdleAt = idle.length === 0 ? now : undefined;
    idle.sort((one, other) => one.activeAt - other.activeAt);
    const closed = idle.slice(0, CLOSED_AT_ONCE);
    for (const relay of closed) relay.close();
    return closed.length;
  }
}
