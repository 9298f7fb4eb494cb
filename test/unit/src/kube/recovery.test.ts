import { beforeEach, describe, expect, test } from "bun:test";
import { seconds } from "../../../../src/base/duration.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { Recovery } from "../../../../src/kube/recovery.ts";
import { statusError, unreachable } from "../../../../src/kube/status.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

class Hurried {
  count = 0;
  hurry(): void {
    this.count += 1;
  }
}

let clock: SteppedClock;
let scope: Scope;
let recovery: Recovery;
let [first, second] = [new Hurried(), new Hurried()];
beforeEach(() => {
  [clock, scope, first, second] = [new SteppedClock(), new Scope(), new Hurried(), new Hurried()];
  recovery = new Recovery(clock, () => 0.5, scope);
});

const away = () => unreachable("watch", "refused", undefined);

describe("of the list-watches of one source", () => {
  test("the first asks every few seconds while it is away, the others do not", async () => {
    recovery.disconnected(first, away());
    recovery.disconnected(second, away());
    await clock.advance(seconds(45));
    expect([first.count, second.count]).toEqual([10, 0]);
  });

  test("none asks more often whom it is refused by, or who is overloaded", async () => {
    recovery.disconnected(first, away());
    recovery.disconnected(first, statusError("watch", 403, {}));
    await clock.advance(seconds(60));
    recovery.disconnected(first, statusError("watch", 429, {}));
    await clock.advance(seconds(60));
    expect(first.count).toBe(0);
    recovery.disconnected(second, away());
    await clock.advance(seconds(45));
    expect([first.count, second.count]).toEqual([0, 10]);
  });

  test("the others are hurried once one's watch has stood for two seconds, and not by one that breaks", async () => {
    recovery.disconnected(first, away());
    recovery.disconnected(second, away());
    recovery.connected(first);
    await clock.advance(seconds(1));
    recovery.disconnected(first, away());
    // Now the second is the one that asks.
    await clock.advance(seconds(4.5));
    expect([first.count, second.count]).toEqual([0, 1]);
    recovery.connected(second);
    await clock.advance(seconds(1.9));
    expect(first.count).toBe(0);
    await clock.advance(seconds(0.1));
    expect([first.count, second.count]).toEqual([1, 1]);
    recovery.connected(first);
    await clock.advance(seconds(60));
    expect([first.count, second.count]).toEqual([1, 1]);
    expect(clock.pending).toBe(0);
  });

  test("one whose watch stands through everything does not leave the others to themselves", async () => {
    recovery.disconnected(first, away());
    recovery.connected(first);
    await clock.advance(seconds(60));
    recovery.disconnected(second, away());
    await clock.advance(seconds(45));
    expect([first.count, second.count]).toEqual([0, 10]);
  });

  test("none is asked any more when the scope has closed", async () => {
    recovery.disconnected(first, away());
    await scope.close();
    await clock.advance(seconds(60));
    expect(first.count).toBe(0);
    expect(clock.pending).toBe(0);
  });
});
