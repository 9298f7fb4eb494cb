import { expect, test } from "bun:test";
import fc from "fast-check";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { DueHeap } from "../../../../src/reconcile/due-heap.ts";

const at = (ms: number) => ms as MonotonicTime;

test("keys come out by their time, those of one time in the order of their setting, as a sorted list has them", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fc.constant("set" as const), fc.nat(30), fc.nat(50)) },
    { weight: 1, arbitrary: fc.tuple(fc.constant("delete" as const), fc.nat(30), fc.constant(0)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant("take" as const), fc.constant(0), fc.nat(50)) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const heap = new DueHeap<number>();
      let model: { readonly key: number; readonly at: number }[] = [];
      for (const [what, key, time] of steps) {
        if (what !== "take") model = model.filter((entry) => entry.key !== key);
        if (what === "set") {
          heap.set(key, at(time));
          model = [...model, { key, at: time }];
        } else if (what === "delete") heap.delete(key);
        else {
          const [first] = [...model].sort((a, b) => a.at - b.at);
          const due = first !== undefined && first.at <= time ? first : undefined;
          expect(heap.takeDue(at(time))?.key).toBe(due?.key as number);
          model = model.filter((entry) => entry !== due);
        }
        expect(heap.size).toBe(model.length);
        expect(heap.nextAt).toBe(model.length === 0 ? (undefined as never) : at(Math.min(...model.map((e) => e.at))));
        expect(heap.dueAt(key)).toBe(model.find((entry) => entry.key === key)?.at as MonotonicTime);
      }
    }),
  );
});
