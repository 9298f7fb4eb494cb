import { Backoff, type BackoffPolicy, type Random } from "../../src/base/backoff.ts";
import { type Clock, elapsed, type MonotonicTime, type Timer } from "../../src/base/clock.ts";
import { type Duration, hours, minutes, seconds } from "../../src/base/duration.ts";
import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { Log } from "../../src/base/log.ts";
import type { PendingWrites } from "./pending-writes.ts";
import type { StoreTrouble } from "./store.ts";
import type { StoreBatch } from "./stored-state.ts";

/** Changes gather for so long, so that a busy cluster costs one write a second. */
const GATHER = seconds(1);
/** What a power cut may take: the card is synced this long after a change. */
const SYNC_AFTER = minutes(1);
/** A copy of the whole cache: 12 MB for 10,000 services, so 48 MB a day on the card at most. */
const PREVIOUS_EVERY = hours(6);
/** Half a copy wears a card that is too small for a whole one as much as a whole one does. */
const COPY_RETRY = hours(1);
/** How long a watermark may wait for company. */
const WATERMARK_AFTER = hours(1);
const RETRY: BackoffPolicy = { initial: seconds(2), factor: 2, limit: minutes(5) };

/** What the writer needs of the store. Each may throw, and be tried again. */
export interface WriterStore {
  readonly previousAt: number | undefined;
  write(batch: StoreBatch): void;
  sync(): void;
  keepPrevious(): void;
  takeRepaired(): StoreTrouble | undefined;
}

export interface WriterOptions {
  readonly store: WriterStore;
  readonly pending: PendingWrites;
  /** What was on disk may not be there any more, and is wanted again. */
  readonly onRepaired: (trouble: StoreTrouble) => void;
  readonly health: Health;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
}

/** Puts pending changes on disk behind everybody's back: nothing waits for the disk, and no disk stops anything. */
export class CacheWriter {
  readonly #options: WriterOptions;
  readonly #backoff: Backoff;
  #timer: Timer | undefined;
  #syncTimer: Timer | undefined;
  #copiedAt: MonotonicTime;
  #copyFailedAt: MonotonicTime | undefined;
  #writtenAt: MonotonicTime;
  #changed = false;

  constructor(options: WriterOptions) {
    const { clock, store, random } = options;
    this.#options = options;
    this.#backoff = new Backoff(RETRY, random);
    // A node that is switched off each evening has its copies, too; a clock that was set since makes one more at most.
    const age = Math.abs(clock.wall() - (store.previousAt ?? clock.wall()));
    this.#copiedAt = (clock.now() - age) as MonotonicTime;
    this.#writtenAt = clock.now();
  }

  /** Something is pending. */
  wake(): void {
    const { clock, pending } = this.#options;
    if (this.#timer !== undefined) return;
    const due = pending.urgent || elapsed(this.#writtenAt, clock.now()) >= WATERMARK_AFTER;
    if (due) this.#writeAfter(GATHER);
  }

  /** Writes what is left. */
  close(): void {
    this.#timer?.cancel();
    this.#syncTimer?.cancel();
    try {
      this.#write();
    } catch (error) {
      this.#options.log.warn("cache.close", errorText(error), { code: errorCode(error) });
    }
  }

  #writeAfter(delay: Duration): void {
    this.#timer = this.#options.clock.after(delay, () => {
      this.#timer = undefined;
      this.#guard(() => {
        this.#write();
        this.#syncTimer ??= this.#options.clock.after(SYNC_AFTER, () => this.#sync());
      });
    });
  }

  #write(): void {
    const { store, pending, clock } = this.#options;
    const batch = pending.take();
    try {
      store.write(batch);
    } catch (error) {
      pending.restore(batch);
      throw error;
    }
    this.#writtenAt = clock.now();
    this.#changed = true;
  }

  #sync(): void {
    this.#syncTimer = undefined;
    this.#guard(() => {
      this.#options.store.sync();
      this.#copy();
    });
  }

  /** The cache itself does without a copy: a failure has a condition of its own, and is nothing to write again for. */
  #copy(): void {
    const { store, clock, health, log } = this.#options;
    const now = clock.now();
    if (!this.#changed || (store.previousAt !== undefined && elapsed(this.#copiedAt, now) < PREVIOUS_EVERY)) return;
    if (this.#copyFailedAt !== undefined && elapsed(this.#copyFailedAt, now) < COPY_RETRY) return;
    try {
      store.keepPrevious();
    } catch (error) {
      this.#copyFailedAt = now;
      const message = errorText(error);
      const hint = "Free space on the disk, twice the size of the cache; until then damage to it cannot be repaired.";
      health.raise({ code: "CACHE_COPY_FAILED", component: "cache", severity: "info", message, hint });
      log.warn("cache.copy_failed", message, { code: errorCode(error), delay_ms: COPY_RETRY });
      return;
    }
    this.#copyFailedAt = undefined;
    this.#copiedAt = now;
    this.#changed = false;
    health.clear("cache", "CACHE_COPY_FAILED");
  }

  /** A failure is a condition, and a retry with growing pauses; a success clears it. */
  #guard(work: () => void): void {
    const { health, store, onRepaired } = this.#options;
    try {
      work();
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#backoff.reset();
    health.clear("cache", "CACHE_WRITE_FAILED");
    const repaired = store.takeRepaired();
    if (repaired !== undefined) onRepaired(repaired);
  }

  #failed(error: unknown): void {
    const hint = error instanceof SelvedgeError ? error.hint : undefined;
    const code = errorCode(error);
    if (code === "CACHE_TOO_NEW") return;
    const message = errorText(error);
    this.#options.health.raise({
      code: "CACHE_WRITE_FAILED",
      component: "cache",
      severity: "degraded",
      message,
      hint: hint ?? "Please report this.",
    });
    const delay = this.#backoff.next();
    this.#options.log.warn("cache.write_failed", message, { code, delay_ms: Math.round(delay) });
    if (this.#timer === undefined) this.#writeAfter(delay);
  }
}
