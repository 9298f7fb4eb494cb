import { beforeEach, expect, test } from "bun:test";
import { startPulse } from "../../../../cloud/connector/pulse.ts";
import { seconds } from "../../../../src/base/duration.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

let clock: SteppedClock;
let scope: Scope;
let answers: boolean;
let asked: number;
let returns: number;

beforeEach(() => {
  clock = new SteppedClock();
  scope = new Scope();
  [answers, asked, returns] = [true, 0, 0];
  const ask = async () => {
    asked += 1;
    if (!answers) throw new Error("nobody answers");
  };
  startPulse({ ask, onReturn: () => (returns += 1), clock }, scope);
});

test("an API server that answers all the time is asked every five seconds, and nothing follows", async () => {
  await clock.advance(seconds(60));
  expect([asked, returns]).toEqual([12, 0]);
});

test("one that was away is asked each second, and its return is told once", async () => {
  await clock.advance(seconds(5));
  answers = false;
  await clock.advance(seconds(35));
  expect(asked).toBeGreaterThan(30);
  expect(returns).toBe(0);
  answers = true;
  await clock.advance(seconds(1));
  expect(returns).toBe(1);
  await clock.advance(seconds(60));
  expect(returns).toBe(1);
});

test("nobody is asked after the end", async () => {
  answers = false;
  await clock.advance(seconds(10));
  await scope.close();
  const before = asked;
  await clock.advance(seconds(10));
  expect([asked, clock.pending]).toEqual([before, 0]);
});
