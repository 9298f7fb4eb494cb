import { expect, test } from "bun:test";
import fc from "fast-check";
import { Backoff } from "../../../../src/base/backoff.ts";
import { milliseconds, seconds } from "../../../../src/base/duration.ts";

const POLICY = { initial: milliseconds(500), factor: 2, limit: seconds(60) };

test("a back-off grows to its limit and starts again after a success", () => {
  const backoff = new Backoff(POLICY, () => 0.999999);
  const delays = Array.from({ length: 10 }, () => Math.round(backoff.next()));
  expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
  backoff.reset();
  expect(Math.round(backoff.next())).toBe(500);
});

test("no delay is shorter than half its ceiling or longer than the limit, however long it fails", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 200 }), (rs) => {
      let ceiling = 500;
      let at = 0;
      const backoff = new Backoff(POLICY, () => rs[at++] ?? 0);
      for (const _ of rs) {
        const delay = backoff.next();
        expect(delay).toBeGreaterThanOrEqual(ceiling / 2);
        expect(delay).toBeLessThanOrEqual(ceiling);
        ceiling = Math.min(60_000, ceiling * 2);
      }
    }),
  );
});
