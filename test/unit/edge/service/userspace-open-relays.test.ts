import { expect, test } from "bun:test";
import { OpenRelays } from "../../../../edge/service/userspace-open-relays.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { seconds } from "../../../../src/base/duration.ts";

const at = (n: number) => seconds(n) as number as MonotonicTime;

class FakeRelay {
  closed = false;
  readonly #relays: OpenRelays;
  activeAt: MonotonicTime;

  constructor(relays: OpenRelays, active: number) {
    this.#relays = relays;
    this.activeAt = at(active);
    relays.add(this);
  }

  close(): void {
    this.closed = true;
    this.#relays.delete(this);
  }
}

test("those that have been idle for longest go first, some at once, and nobody who is not idle", () => {
  const relays = new OpenRelays();
  const all = Array.from({ length: 100 }, (_, number) => new FakeRelay(relays, 100 - number));
  expect(relays.closeIdle(at(105))).toBe(64);
  expect(all.filter(({ closed }) => closed).map(({ activeAt }) => activeAt)).toEqual(
    all.slice(36).map(({ activeAt }) => activeAt),
  );
  expect(relays.closeIdle(at(105))).toBe(95 - 64);
  expect(all.filter(({ closed }) => !closed).map(({ activeAt }) => activeAt)).toEqual([100, 99, 98, 97, 96].map(at));
});

test("while all are in use, callers in thousands do not look at all of them each", () => {
  const relays = new OpenRelays();
  let looks = 0;
  relays.add({
    close: () => undefined,
    get activeAt() {
      looks += 1;
      return at(100);
    },
  });
  for (let caller = 0; caller < 1000; caller++) expect(relays.closeIdle(at(100.5))).toBe(0);
  expect(looks).toBe(1);
  expect(relays.closeIdle(at(111))).toBe(1);
});
