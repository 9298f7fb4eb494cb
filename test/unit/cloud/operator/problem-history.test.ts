import { describe, expect, test } from "bun:test";
import type { Problem } from "../../../../cloud/operator/problem.ts";
import { ProblemHistory } from "../../../../cloud/operator/problem-history.ts";

const conflict: Problem = { code: "SUBNET_CONFLICT", severity: "failed", message: "Cannot a", hint: "Do b." };
const remark: Problem = { code: "MEMBER_TWICE", severity: "info", message: "Cannot c", hint: "Do d." };

describe("the news about an object", () => {
  test("is each new problem once, with what to do, and that all is well once it is", () => {
    const history = new ProblemHistory();
    expect(history.update("Node/e1", [])).toEqual([]);
    expect(history.update("Node/e1", [conflict])).toEqual([
      { type: "Warning", reason: "SubnetConflict", note: "Cannot a. Do b." },
    ]);
    expect(history.update("Node/e1", [conflict])).toEqual([]);
    expect(history.update("Node/e1", [conflict, remark])).toEqual([
      { type: "Normal", reason: "MemberTwice", note: "Cannot c. Do d." },
    ]);
    expect(history.update("Node/e1", [remark])).toEqual([]);
    expect(history.update("Node/e1", [])).toMatchObject([{ type: "Normal", reason: "AsWanted" }]);
    expect(history.update("Node/e1", [])).toEqual([]);
  });

  test("is a problem again whose value has changed, and one of another object", () => {
    const history = new ProblemHistory();
    history.update("Node/e1", [conflict]);
    expect(history.update("Node/e1", [{ ...conflict, message: "Cannot a: current value is 2" }])).toHaveLength(1);
    expect(history.update("Node/e2", [conflict])).toHaveLength(1);
  });

  test("is told again by whoever leads next", () => {
    const history = new ProblemHistory();
    history.update("Node/e1", [conflict]);
    history.clear();
    expect(history.update("Node/e1", [conflict])).toHaveLength(1);
  });
});
