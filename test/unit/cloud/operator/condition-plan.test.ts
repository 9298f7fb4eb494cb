import { describe, expect, test } from "bun:test";
import { planCondition } from "../../../../cloud/operator/condition-plan.ts";
import type { Problem } from "../../../../cloud/operator/problem.ts";

function problem(code: string, severity: Problem["severity"]): Problem {
  return { code, severity, message: `Cannot do ${code}`, hint: `Mend ${code}.` };
}

const plan = (problems: readonly Problem[], before?: { status: string; lastTransitionTime: string }) =>
  planCondition("Ready", problems, 7, before, "2026-01-02T00:00:00Z");

describe("a condition", () => {
  test("is true where nothing is wrong, and where something is merely degraded", () => {
    expect(plan([])).toEqual({
      type: "Ready",
      status: "True",
      reason: "AsWanted",
      message: "Nothing is wrong",
      observedGeneration: 7,
      lastTransitionTime: "2026-01-02T00:00:00Z",
    });
    expect(plan([problem("SUBNET_SMALL", "degraded")])).toMatchObject({ status: "True", reason: "SubnetSmall" });
  });

  test("that somebody wrote without a time gets one", () => {
    const { lastTransitionTime } = plan([], { status: "True", lastTransitionTime: "" });
    expect(lastTransitionTime).toBe("2026-01-02T00:00:00Z");
  });

  test("names the worst problem as its reason, and every one with its hint in its message", () => {
    const condition = plan([
      problem("A_SMALL_ONE", "info"),
      problem("THE_WORST", "failed"),
      problem("MIDDLE", "degraded"),
    ]);
    expect(condition).toMatchObject({ status: "False", reason: "TheWorst" });
    expect(condition.message.split("\n")).toEqual([
      "Cannot do THE_WORST. Mend THE_WORST.",
      "Cannot do MIDDLE. Mend MIDDLE.",
      "Cannot do A_SMALL_ONE. Mend A_SMALL_ONE.",
    ]);
  });

  test("says the same whatever the order of the problems", () => {
    const [a, b] = [problem("A", "degraded"), problem("B", "degraded")];
    expect(plan([a, b])).toEqual(plan([b, a]));
  });

  test("keeps the time of its last transition while its status is the same, however the reason changes", () => {
    const before = { status: "True", lastTransitionTime: "2025-01-01T00:00:00Z" };
    expect(plan([problem("A", "degraded")], before).lastTransitionTime).toBe("2025-01-01T00:00:00Z");
    expect(plan([problem("A", "failed")], before).lastTransitionTime).toBe("2026-01-02T00:00:00Z");
  });

  test("has a message of bounded length", () => {
    const many = Array.from({ length: 5000 }, (_, i) => problem(`PROBLEM_${i}`, "degraded"));
    expect(plan(many).message).toHaveLength(32_768);
  });
});
