import type { MonotonicTime } from "../../src/base/clock.ts";
import type { Duration } from "../../src/base/duration.ts";

export interface Expiring {
  /** Called when it is dropped, whatever the reason. */
  close(): void;
}

interface Entry<T> {
  readonly value: T;
  seen: MonotonicTime;
}

/** A bounded table of what is used again and again; what was not used longest is dropped first. */
export class SessionTable<T extends Expiring> {
  readonly #limit: number;
  readonly #idle: Duration;
  /** In the order of their last use: a Map keeps the order of insertion. */
  readonly #entries = new Map<string, Entry<T>>();

  constructor(limit: number, idle: Duration) {
    this.#limit = limit;
    this.#idle = idle;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Finds one, and notes its use. */
  use(key: string, now: MonotonicTime): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.seen = now;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** @returns true when another one had to go for it */
  add(key: string, value: T, now: MonotonicTime): boolean {
    this.drop(key);
    const full = this.#entries.size >= this.#limit;
    if (full) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.drop(oldest);
    }
    this.#entries.set(key, { value, seen: now });
    return full;
  }

  drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    entry.value.close();
  }

  dropWhere(matches: (value: T) => boolean): void {
    for (const [key, { value }] of this.#entries) if (matches(value)) this.drop(key);
  }

  /** Drops what was idle too long. */
  sweep(now: MonotonicTime): void {
    for (const [key, { seen }] of this.#entries) {
      if (now - seen < this.#idle) return;
      this.drop(key);
    }
  }
}
