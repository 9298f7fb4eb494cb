import { expect, test } from "bun:test";
import { sleep } from "../../../../src/base/clock.ts";
import { seconds } from "../../../../src/base/duration.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

test("sleep() ends after its delay, or at once when its signal aborts, and leaves no timer behind", async () => {
  const clock = new SteppedClock();
  const abort = new AbortController();
  const ended: string[] = [];
  void sleep(clock, seconds(5), abort.signal).then(() => ended.push("five"));
  void sleep(clock, seconds(60), abort.signal).then(() => ended.push("sixty"));
  await clock.advance(seconds(4));
  expect(ended).toEqual([]);
  await clock.advance(seconds(1));
  expect(ended).toEqual(["five"]);
  abort.abort();
  await sleep(clock, seconds(9), abort.signal);
  expect([ended, clock.pending]).toEqual([["five", "sixty"], 0]);
});
