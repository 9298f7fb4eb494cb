import { describe, expect, test } from "bun:test";
import { keepHeapSmall } from "../../../../edge/status/heap-keeper.ts";
import { minutes } from "../../../../src/base/duration.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

describe("the heap", () => {
  test("is collected again and again, and not any more after the end", async () => {
    const [clock, scope] = [new SteppedClock(), new Scope()];
    let collections = 0;
    keepHeapSmall(clock, () => collections++, scope);
    expect(collections).toBe(0);
    for (let round = 1; round <= 3; round++) {
      await clock.advance(minutes(5));
      expect(collections).toBe(round);
    }
    await scope.close();
    await clock.advance(minutes(20));
    expect(collections).toBe(3);
  });
});
