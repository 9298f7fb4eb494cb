import { expect, test } from "bun:test";
import { errorText } from "../../../../src/base/errors.ts";
import { Scope } from "../../../../src/base/scope.ts";

test("a scope closes what it opened in reverse order, and once", async () => {
  const closed: string[] = [];
  const scope = new Scope();
  scope.onClose("first", () => void closed.push("first"));
  scope.onClose("second", async () => void closed.push("second"));
  scope.onClose("last", () => void closed.push("last"));
  await Promise.all([scope.close(), scope.close()]);
  expect(closed).toEqual(["last", "second", "first"]);
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
  expect(errorText(error)).toBe("Cannot close everything (Cannot close broken (stuck))");
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
