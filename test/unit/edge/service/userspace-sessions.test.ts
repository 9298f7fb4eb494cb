import { expect, test } from "bun:test";
import { SessionTable } from "../../../../edge/service/userspace-sessions.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { seconds } from "../../../../src/base/duration.ts";

const at = (ms: number) => ms as MonotonicTime;

function table(limit: number) {
  const closed: string[] = [];
  const sessions = new SessionTable<{ readonly name: string; close(): void }>(limit, seconds(10));
  const add = (name: string, ms: number) => sessions.add(name, { name, close: () => closed.push(name) }, at(ms));
  return { sessions, closed, add };
}

test("what is idle for the whole time-out is dropped, and what was used meanwhile stays", () => {
  const { sessions, closed, add } = table(10);
  add("a", 0);
  add("b", 1);
  sessions.use("a", at(5000));
  sessions.sweep(at(10_000));
  expect(closed).toEqual([]);
  sessions.sweep(at(10_001));
  expect(closed).toEqual(["b"]);
  sessions.sweep(at(15_000));
  expect(closed).toEqual(["b", "a"]);
});

test("when it is full, what was not used longest goes", () => {
  const { sessions, closed, add } = table(2);
  expect([add("a", 0), add("b", 1)]).toEqual([false, false]);
  sessions.use("a", at(2));
  expect(add("c", 3)).toBe(true);
  expect([closed, sessions.size]).toEqual([["b"], 2]);
  expect(sessions.use("b", at(4))).toBeUndefined();
});

test("what is dropped, by name or by a condition, is closed once", () => {
  const { sessions, closed, add } = table(10);
  for (const name of ["a", "b", "c"]) add(name, 0);
  sessions.drop("a");
  sessions.drop("a");
  sessions.dropWhere((session) => session.name === "c");
  expect([closed, sessions.size]).toEqual([["a", "c"], 1]);
});

test("a name that is added again replaces and closes the first", () => {
  const { sessions, closed, add } = table(10);
  add("a", 0);
  add("a", 1);
  expect([closed, sessions.size]).toEqual([["a"], 1]);
});
