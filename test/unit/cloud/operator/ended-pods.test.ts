import { expect, test } from "bun:test";
import { EndedPods } from "../../../../cloud/operator/ended-pods.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { hours, milliseconds, minutes } from "../../../../src/base/duration.ts";

const NOW = milliseconds(0);
const MOST = minutes(15);

/** Ends again as soon as it is replaced. @returns the waits in between */
function endAtOnce(pods: EndedPods, times: number): readonly number[] {
  const waits: number[] = [];
  let now = hours(1) as number;
  for (let i = 0; i < times; i++) {
    expect(pods.wait("e1", now as MonotonicTime)).toBe(NOW);
    pods.replaced("e1", now as MonotonicTime);
    const wait = pods.wait("e1", now as MonotonicTime);
    waits.push(wait);
    now += wait;
  }
  return waits;
}

test("one that ends once has a successor at once, and each that ends at once waits longer for it, a quarter of an hour at most", () => {
  const waits = endAtOnce(new EndedPods(() => 1), 14);
  expect(waits.slice(0, 3)).toEqual([1000, 2000, 4000]);
  expect(waits.at(-1)).toBe(MOST);
});

test("one that ran for long ends for the first time, and so does one of another node, or of a node that comes back", () => {
  const pods = new EndedPods(() => 1);
  endAtOnce(pods, 14);
  const later = (hours(1) + hours(24)) as MonotonicTime;
  expect(pods.wait("e2", later)).toBe(NOW);
  expect(pods.wait("e1", later)).toBe(NOW);
  pods.replaced("e1", later);
  expect(pods.wait("e1", later)).toBe(milliseconds(1000));
  pods.forget("e1");
  expect(pods.wait("e1", later)).toBe(NOW);
});
