import { describe, expect, test } from "bun:test";
import { keepHeapSmall } from "../../../../edge/status/heap-keeper.ts";
import { minutes } from "../../../../src/base/duration.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

describe("the heap", () => {
  test("loses the code of the start once, is then collected again and again, and not any more after the end", async () => {
    const [clock, scope] = [new SteppedClock(), new Scope()];
    const did: string[] = [];
    keepHeapSmall(clock, { collectGarbage: () => did.push("collected"), dropCode: () => did.push("dropped") }, scope);
    expect(did).toEqual([]);
    await clock.advance(minutes(1));
    expect(did).toEqual(["dropped"]);
    for (let round = 1; round <= 3; round++) {
      await clock.advance(minutes(1));
      expect(did).toEqual(["dropped", ...Array(round).fill("collected")]);
    }
    await scope.close();
    await clock.advance(minutes(20));
    expect(did).toHaveLength(4);
  });

  test("is left alone where the end comes before the start is over", async () => {
    const [clock, scope] = [new SteppedClock(), new Scope()];
    keepHeapSmall(clock, { collectGarbage: () => expect.unreachable(), dropCode: () => expect.unreachable() }, scope);
    await scope.close();
    await clock.advance(minutes(20));
  });
});
