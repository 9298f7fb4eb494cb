import { expect, test } from "bun:test";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { TokenBucket } from "../../../../src/base/token-bucket.ts";

const at = (ms: number) => ms as MonotonicTime;

test("a bucket lets its burst through at once and its rate from then on", () => {
  const bucket = new TokenBucket({ perSecond: 2, burst: 3 }, at(0));
  const take = (now: number) => bucket.take(at(now));
  expect([0, 0, 0, 0].map(take)).toEqual([true, true, true, false]);
  expect(bucket.readyAt(at(0))).toBe(at(500));
  expect([499, 500, 500, 1000].map(take)).toEqual([false, true, false, true]);
});

test("a bucket holds no more than its burst after however long a rest", () => {
  const bucket = new TokenBucket({ perSecond: 1000, burst: 2 }, at(0));
  const take = (now: number) => bucket.take(at(now));
  expect([3_600_000, 3_600_000, 3_600_000].map(take)).toEqual([true, true, false]);
  expect(bucket.readyAt(at(3_700_000))).toBe(at(3_700_000));
});
