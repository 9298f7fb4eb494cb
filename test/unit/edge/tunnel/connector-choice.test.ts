import { describe, expect, test } from "bun:test";
import { ConnectorChoice } from "../../../../edge/tunnel/connector-choice.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";

const MINUTE = 60_000;
const at = (milliseconds: number) => milliseconds as MonotonicTime;
const choice = (addresses: readonly string[], inUse?: string, random = 0) =>
  new ConnectorChoice(addresses, inUse, at(0), () => random);

describe("a node's choice among a connector's addresses", () => {
  test("begins with the best, or with the one that a tunnel is up to", () => {
    expect(choice(["a", "b"]).address).toBe("a");
    expect(choice(["a", "b"], "b").address).toBe("b");
    expect(choice(["a", "b"], "gone").address).toBe("a");
  });

  test("goes on to the next when one does not answer in two seconds, and takes longer each time round", () => {
    const tried = choice(["a", "b", "c"]);
    const changes: string[] = [];
    for (let now = 0; now <= 30_000; now += 100) {
      if (tried.look(at(now), false)) changes.push(`${now / 1000} ${tried.address}`);
    }
    expect(changes).toEqual(["2 b", "4 c", "6 a", "10 b", "14 c", "18 a", "26 b"]);
  });

  test("leaves an address that carries nothing at once", () => {
    const dead = choice(["a", "b"]);
    expect(dead.look(at(100), true)).toBe(false);
    dead.leave(at(5000));
    expect(dead.address).toBe("b");
    expect(dead.look(at(5100), true)).toBe(false);
  });

  test("leaves the trying to charon where there is only one address", () => {
    const only = choice(["a"]);
    expect(only.look(at(100_000), false)).toBe(false);
    only.leave(at(100_000));
    expect(only.address).toBe("a");
  });

  test("goes back to the best after ten steady minutes, each node at another time", () => {
    for (const [random, minutes] of [
      [0, 10],
      [0.5, 15],
    ] as const) {
      const second = choice(["a", "b"], "b", random);
      second.look(at(0), true);
      expect(second.look(at(minutes * MINUTE - 1), true)).toBe(false);
      expect(second.look(at(minutes * MINUTE), true)).toBe(true);
      expect(second.address).toBe("a");
    }
  });

  test("does not count minutes in which it was down", () => {
    const second = choice(["a", "b"], "b");
    second.look(at(0), true);
    second.look(at(9 * MINUTE), false);
    second.look(at(9 * MINUTE + 100), true);
    expect(second.look(at(18 * MINUTE), true)).toBe(false);
    expect(second.look(at(19 * MINUTE + 100), true)).toBe(true);
  });

  test("comes back from a better address that does not answer, and waits twice as long before the next time", () => {
    const second = choice(["a", "b"], "b");
    second.look(at(0), true);
    second.look(at(10 * MINUTE), true);
    expect(second.look(at(10 * MINUTE + 9900), false)).toBe(false);
    expect(second.look(at(10 * MINUTE + 10_000), false)).toBe(true);
    expect(second.address).toBe("b");
    second.look(at(11 * MINUTE), true);
    expect(second.look(at(30 * MINUTE), true)).toBe(false);
    expect(second.look(at(31 * MINUTE), true)).toBe(true);
  });
});
