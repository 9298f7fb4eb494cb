import { afterEach, expect, jest, test } from "bun:test";
import { hours, milliseconds } from "../../../../src/base/duration.ts";
import { SystemClock } from "../../../../src/linux/system-clock.ts";

afterEach(() => jest.useRealTimers());

/** The fake timers take 49 days at most in one go. */
function advanceDays(days: number): void {
  for (let i = 0; i < days; i++) jest.advanceTimersByTime(24 * 3_600_000);
}

test("a timer longer than setTimeout can take runs when it is due, and not at once", () => {
  jest.useFakeTimers();
  let runs = 0;
  new SystemClock().after(hours(24 * 60), () => {
    runs += 1;
  });
  advanceDays(59);
  expect(runs).toBe(0);
  advanceDays(2);
  expect(runs).toBe(1);
});

test("a timer is cancelled in its first and in its later part", () => {
  jest.useFakeTimers();
  let runs = 0;
  const count = () => {
    runs += 1;
  };
  const clock = new SystemClock();
  clock.after(milliseconds(10), count).cancel();
  clock.after(hours(24 * 60), count).cancel();
  const late = clock.after(hours(24 * 60), count);
  advanceDays(40);
  late.cancel();
  advanceDays(40);
  expect(runs).toBe(0);
});

test("time does not go back", () => {
  const clock = new SystemClock();
  const before = clock.now();
  expect(clock.now()).toBeGreaterThanOrEqual(before);
});
