import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { BackoffPolicy } from "../../../../src/base/backoff.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { milliseconds, seconds } from "../../../../src/base/duration.ts";
import { KeyQueue } from "../../../../src/reconcile/key-queue.ts";

const POLICY: BackoffPolicy = { initial: seconds(1), factor: 2, limit: seconds(8) };
const at = (ms: number) => ms as MonotonicTime;

function newQueue(): KeyQueue<string> {
  return new KeyQueue(POLICY, () => 0.999);
}

function takeAll(queue: KeyQueue<string>, now: number): readonly string[] {
  const keys: string[] = [];
  for (let taken = queue.take(at(now)); taken !== undefined; taken = queue.take(at(now))) keys.push(taken.key);
  return keys;
}

describe("a queue of keys", () => {
  test("gives each key once, in the order of arrival, and tells how long it waited", () => {
    const queue = newQueue();
    expect(["a", "b", "a", "c"].map((key, i) => queue.add(key, "change", at(i)))).toEqual([true, true, false, true]);
    expect(queue.depth).toBe(3);
    expect(queue.take(at(10))).toEqual({ key: "a", waited: milliseconds(10) });
    expect(takeAll(queue, 10)).toEqual(["b", "c"]);
    expect(queue.readyAt(at(10))).toBeUndefined();
  });

  test("gives a key that came again while it was worked on once more, and not before that work is done", () => {
    const queue = newQueue();
    queue.add("a", "change", at(0));
    queue.take(at(0));
    queue.add("a", "change", at(1));
    queue.add("a", "change", at(2));
    expect(takeAll(queue, 2)).toEqual([]);
    queue.succeed("a", at(3));
    expect(takeAll(queue, 3)).toEqual(["a"]);
    queue.succeed("a", at(4));
    expect(takeAll(queue, 4)).toEqual([]);
  });

  test("lets a failed key wait longer each time, up to a limit, and forgets that when it succeeds", () => {
    const queue = newQueue();
    queue.add("a", "change", at(0));
    let now = 0;
    const delays = Array.from({ length: 6 }, () => {
      queue.take(at(now));
      const delay = queue.fail("a", at(now));
      expect(queue.readyAt(at(now))).toBe(at(now + delay));
      expect(takeAll(queue, now + delay - 1)).toEqual([]);
      now += delay;
      return Math.round(delay / 1000);
    });
    expect(delays).toEqual([1, 2, 4, 8, 8, 8]);
    expect(queue.failures("a")).toBe(6);
    expect(queue.take(at(now))?.key).toBe("a");
    queue.succeed("a", at(now));
    expect(queue.failures("a")).toBe(0);
  });

  test("waits as long as the other side asked", () => {
    const queue = newQueue();
    queue.add("a", "change", at(0));
    queue.take(at(0));
    expect(queue.fail("a", at(0), seconds(30))).toBe(seconds(30));
  });

  test("does not let a key wait to which something happens, yet remembers that it failed", () => {
    const queue = newQueue();
    queue.add("a", "change", at(0));
    queue.take(at(0));
    queue.fail("a", at(0));
    queue.add("a", "change", at(1));
    expect(takeAll(queue, 1)).toEqual(["a"]);
    expect(Math.round(queue.fail("a", at(1)) / 1000)).toBe(2);
    expect(queue.delayed).toBe(1);
  });

  test("of two times for a key keeps the earlier one, and none for a key that is ready", () => {
    const queue = newQueue();
    queue.addAt("a", at(100));
    queue.addAt("a", at(50));
    queue.addAt("a", at(70));
    expect(queue.readyAt(at(0))).toBe(at(50));
    queue.add("b", "change", at(0));
    queue.addAt("b", at(10));
    expect(takeAll(queue, 0)).toEqual(["b"]);
    expect(takeAll(queue, 60)).toEqual(["a"]);
    expect(queue.delayed).toBe(0);
    expect(queue.readyAt(at(60))).toBeUndefined();
  });

  test("lets changes go before the sweep, and the sweep get on behind every third", () => {
    const queue = newQueue();
    for (const key of ["s1", "s2", "s3"]) queue.add(key, "sweep", at(0));
    for (const key of ["c1", "c2", "c3", "c4"]) queue.add(key, "change", at(1));
    expect(takeAll(queue, 1)).toEqual(["c1", "c2", "c3", "s1", "c4", "s2", "s3"]);
  });

  test("moves a key of the sweep ahead when something happens to it", () => {
    const queue = newQueue();
    for (const key of ["s1", "s2"]) queue.add(key, "sweep", at(0));
    expect(queue.add("s2", "change", at(5))).toBeFalse();
    expect(queue.take(at(9))).toEqual({ key: "s2", waited: milliseconds(9) });
    expect(takeAll(queue, 9)).toEqual(["s1"]);
  });
});

describe("whatever happens to keys", () => {
  const key = fc.constantFrom("a", "b", "c", "d", "e");
  const step = fc.oneof(
    fc.record({ do: fc.constant("add" as const), key, lane: fc.constantFrom("change" as const, "sweep" as const) }),
    fc.record({ do: fc.constant("addAt" as const), key, in: fc.integer({ min: 0, max: 5000 }) }),
    fc.record({ do: fc.constant("take" as const) }),
    fc.record({ do: fc.constantFrom("succeed" as const, "fail" as const), which: fc.nat(4) }),
    fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 3000 }) }),
  );

  test("none is lost, none is worked on twice at a time, and none is worked on without a reason", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = newQueue();
        const working: string[] = [];
        /** Keys with a reason that no work which began after it has met. */
        const wanted = new Set<string>();
        let now = 0;
        const take = () => {
          const taken = queue.take(at(now));
          if (taken === undefined) return undefined;
          expect(working).not.toContain(taken.key);
          expect(wanted.has(taken.key)).toBeTrue();
          expect(taken.waited).toBeGreaterThanOrEqual(0);
          wanted.delete(taken.key);
          working.push(taken.key);
          return taken.key;
        };
        const end = (i: number, failed: boolean) => {
          const [done] = working.splice(i, 1);
          if (done === undefined) return;
          if (failed) wanted.add(done);
          if (failed) queue.fail(done, at(now));
          else queue.succeed(done, at(now));
        };
        for (const one of steps) {
          if (one.do === "add") {
            wanted.add(one.key);
            queue.add(one.key, one.lane, at(now));
          } else if (one.do === "addAt") {
            wanted.add(one.key);
            queue.addAt(one.key, at(now + one.in));
          } else if (one.do === "take") take();
          else if (one.do === "pass") now += one.ms;
          else end(one.which, one.do === "fail");
          expect(queue.working).toBe(working.length);
        }
        // In the end everything that is wanted is done.
        while (working.length > 0) end(0, false);
        for (let i = 0; i < 100 && wanted.size > 0; i++) {
          const ready = queue.readyAt(at(now));
          expect(ready).toBeDefined();
          now = Math.max(now, ready ?? now);
          if (take() !== undefined) end(0, false);
        }
        expect([...wanted]).toEqual([]);
        expect(queue.depth + queue.delayed + queue.working).toBe(0);
      }),
    );
  });
});
