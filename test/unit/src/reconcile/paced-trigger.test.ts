import { beforeEach, expect, test } from "bun:test";
import { seconds } from "../../../../src/base/duration.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { PacedTrigger } from "../../../../src/reconcile/paced-trigger.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

let clock: SteppedClock;
let scope: Scope;
let trigger: PacedTrigger;
const passedOn: boolean[] = [];

beforeEach(() => {
  clock = new SteppedClock();
  scope = new Scope();
  passedOn.length = 0;
  trigger = new PacedTrigger((full) => passedOn.push(full), seconds(1), clock, scope);
});

test("a change is passed on at once, and a crowd after it as one at the end of the pause", async () => {
  trigger.changed(false);
  expect(passedOn).toEqual([false]);
  for (let i = 0; i < 100; i++) trigger.changed(false);
  await clock.advance(seconds(0.9));
  expect(passedOn).toEqual([false]);
  await clock.advance(seconds(0.1));
  expect(passedOn).toEqual([false, false]);
});

test("changes that go on come once a pause", async () => {
  for (let i = 0; i < 50; i++) {
    trigger.changed(false);
    await clock.advance(seconds(0.1));
  }
  expect(passedOn).toHaveLength(6);
});

test("one in a crowd that concerns everything is not lost in it", async () => {
  trigger.changed(false);
  trigger.changed(true);
  trigger.changed(false);
  await clock.advance(seconds(1));
  expect(passedOn).toEqual([false, true]);
  await clock.advance(seconds(1));
  trigger.changed(false);
  expect(passedOn).toEqual([false, true, false]);
});

test("nothing comes after the end", async () => {
  trigger.changed(false);
  trigger.changed(true);
  await scope.close();
  expect(clock.pending).toBe(0);
});
