import { expect, test } from "bun:test";
import { Scope } from "../../../../src/base/scope.ts";

test("a scope closes what it opened in reverse order, children in their place, and once", async () => {
  const closed: string[] = [];
  const scope = new Scope();
  scope.onClose("first", () => void closed.push("first"));
  scope.child("child").onClose("inner", async () => void closed.push("inner"));
  scope.onClose("last", () => void closed.push("last"));
  expect(scope.names()).toEqual(["first", "child", "last"]);
  await Promise.all([scope.close(), scope.close()]);
  expect(closed).toEqual(["last", "inner", "first"]);
});

test("a closer that fails keeps no other from running, and its error comes back", async () => {
  let reached = false;
  const scope = new Scope();
  scope.onClose("reached", () => {
    reached = true;
  });
  scope.onClose("broken", () => {
    throw new Error("stuck");
  });
  const error = await scope.close().catch((e: unknown) => e);
  expect(reached).toBe(true);
  expect(error).toBeInstanceOf(AggregateError);
});

test("waiters hear of the closing before anything is closed", async () => {
  const scope = new Scope();
  let abortedFirst = false;
  scope.onClose("socket", () => {
    abortedFirst = scope.signal.aborted;
  });
  await scope.close();
  expect(abortedFirst).toBe(true);
  expect(() => scope.onClose("late", () => {})).toThrow('Cannot open "late" as its scope is closing');
});
