import { type Duration, formatDuration, milliseconds, seconds } from "../../src/base/duration.ts";
import { errorText } from "../../src/base/errors.ts";

/**
 * Between two looks it is several times as long as a look takes, which is often a program of a tenth of a second: what is
 * waited for needs the processors, too, and the event loop where it runs in this process.
 */
const PAUSE = { looks: 5, least: milliseconds(10), most: milliseconds(250) };

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
    const began = performance.now();
    let seen: unknown;
    try {
      const value = await condition();
      if (value) return value as Truthy<T>;
      seen = value;
    } catch (error) {
      seen = error;
    }
    const ended = performance.now();
    if (ended >= deadline) {
      const last = seen instanceof Error ? errorText(seen) : JSON.stringify(seen);
      throw new Error(`Cannot see ${what} within ${formatDuration(timeout)}: current value is ${last}`, {
        cause: seen,
      });
    }
    await Bun.sleep(Math.min(Math.max(PAUSE.looks * (ended - began), PAUSE.least), PAUSE.most));
  }
}
