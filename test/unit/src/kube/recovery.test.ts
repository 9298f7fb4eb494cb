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
  recovery.join(first);
  recovery.join(second);
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
    recovery.disconnected(second, away());
    await clock.advance(seconds(60));
    recovery.disconnected(first, statusError("watch", 429, {}));
    await clock.advance(seconds(60));
    expect([first.count, second.count]).toEqual([0, 0]);
  });

  test("the others are hurried once the first one's watch has stood for two seconds, and not by one that breaks", async () => {
    recovery.connected(first);
    await clock.advance(seconds(1));
    recovery.disconnected(first, away());
    await clock.advance(seconds(1));
    recovery.connected(second);
    await clock.advance(seconds(2));
    expect(second.count).toBe(0);
    recovery.connected(first);
    await clock.advance(seconds(2));
    expect(second.count).toBe(1);
    const asked = first.count;
    await clock.advance(seconds(60));
    expect([first.count, second.count]).toEqual([asked, 1]);
  });

  test("none is asked any more when the scope has closed", async () => {
    recovery.disconnected(first, away());
    await scope.close();
    await clock.advance(seconds(60));
    expect(first.count).toBe(0);
    expect(clock.pending).toBe(0);
  });
});
