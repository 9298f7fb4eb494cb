import { type Duration, formatDuration, milliseconds, seconds } from "../../src/base/duration.ts";
import { errorText } from "../../src/base/errors.ts";

const POLL_INTERVAL = milliseconds(10);

export interface WaitOptions {
  /** 20 s unless told: a limit is for what never comes, on a machine that may be busy with something else. */
  readonly timeout?: Duration;
}

type Truthy<T> = Exclude<T, false | null | undefined | 0 | "">;

/**
 * Polls until the condition gives something truthy, and returns that. A condition that throws is tried again; its last
 * error is the cause of the error in the end.
 * @param what completes "Cannot see …"
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeout = seconds(20) }: WaitOptions = {},
): Promise<Truthy<T>> {
  const deadline = performance.now() + timeout;
  for (;;) {
    let seen: unknown;
    try {
      const value = await condition();
      if (value) return value as Truthy<T>;
      seen = value;
    } catch (error) {
      seen = error;
    }
    if (performance.now() >= deadline) {
      const last = seen instanceof Error ? errorText(seen) : JSON.stringify(seen);
      throw new Error(`Cannot see ${what} within ${formatDuration(timeout)}: current value is ${last}`, {
        cause: seen,
      });
    }
    await Bun.sleep(POLL_INTERVAL);
  }
}
