import { expect, test } from "bun:test";
import fc from "fast-check";
import { assignSlots } from "../../../../edge/service/slots.ts";
import { makeBackend } from "../../../support/service-frontends.ts";

const backends = fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 12 });
const from = (numbers: readonly number[]) => numbers.map((n) => makeBackend(`10.1.0.${n}`));

test("every wanted endpoint has exactly one slot, and nobody else has", () => {
  fc.assert(
    fc.property(backends, backends, (before, wanted) => {
      const slots = assignSlots(from(before), from(wanted));
      expect(slots.map((b) => b.address).toSorted()).toEqual(
        from(wanted)
          .map((b) => b.address)
          .toSorted(),
      );
    }),
  );
});

test("who stays keeps the slot, as long as there is one of that number", () => {
  fc.assert(
    fc.property(backends, backends, (before, wanted) => {
      const slots = assignSlots(from(before), from(wanted));
      for (const [i, n] of before.entries()) {
        if (i < wanted.length && wanted.includes(n)) expect(slots[i]?.address).toBe(makeBackend(`10.1.0.${n}`).address);
      }
    }),
  );
});

test("holes in what was known before are filled", () => {
  const [a, b, c] = from([1, 2, 3]);
  if (a === undefined || b === undefined || c === undefined) throw new Error("three were made");
  const before = new Array<typeof a>(3);
  before[2] = b;
  expect(assignSlots(before, [a, b, c])).toEqual([a, c, b]);
});
