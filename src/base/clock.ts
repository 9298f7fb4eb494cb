import type { Duration } from "./duration.ts";

/** Milliseconds since an arbitrary start; never jumps. Compared only with values of the same clock. */
export type MonotonicTime = number & { readonly __brand: "MonotonicTime" };

export interface Timer {
  cancel(): void;
}

/** Time as an argument: the system's in `main`, a stepped one in tests. */
export interface Clock {
  now(): MonotonicTime;
  /** Wall time in milliseconds since 1970; only for what people and other machines read. */
  wall(): number;
  after(delay: Duration, run: () => void): Timer;
}

export function elapsed(since: MonotonicTime, now: MonotonicTime): Duration {
  return (now - since) as Duration;
}

/** Resolves after the delay, or at once when the signal aborts; callers look at `signal.aborted`. */
export function sleep(clock: Clock, delay: Duration, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      timer.cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = clock.after(delay, done);
    signal.addEventListener("abort", done);
  });
}
