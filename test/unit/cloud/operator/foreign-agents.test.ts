import { describe, expect, test } from "bun:test";
import type { PlanChange } from "../../../../cloud/operator/change.ts";
import { OperatorPlanner } from "../../../../cloud/operator/planner.ts";
import type { AgentMode } from "../../../../cloud/operator/settings.ts";
import { cloudNode, edgeNode, makeOperatorSettings } from "../../../support/operator-objects.ts";

const POD = "Pod/fabedge/e1";

function planned(mode: AgentMode, ...changes: readonly PlanChange[]): OperatorPlanner {
  const settings = makeOperatorSettings({ cni: "flannel", agent: { ...makeOperatorSettings().agent, mode } });
  return new OperatorPlanner(settings, [node(), ...changes]);
}

function node(said?: string): PlanChange {
  const labels: Record<string, string> = said === undefined ? {} : { "selvedge.io/agent-mode": said };
  return edgeNode("e1", { ip: "192.0.2.1", cidrs: ["10.1.1.0/24"], labels });
}

/** @param hash undefined: as FabEdge's are */
function pod(key: string, hash?: string, at = "e1"): PlanChange {
  return { kind: "AgentPod", key, value: { node: at, hash, ready: false, terminating: false, ended: false } };
}

const gone = (key: string): PlanChange => ({ kind: "AgentPod", key, value: undefined });
const codes = (planner: OperatorPlanner) =>
  planner.problems("Node/e1").map(({ code, severity }) => `${code} ${severity}`);

describe("an agent that the operator has not made", () => {
  test.each(["host", "pod"] as const)("is left alone where agents run as %s by default, and said", (mode) => {
    const planner = planned(mode, pod("a"));
    expect(planner.document(POD)).toMatchObject({ state: "held", problems: [{ code: "FABEDGE_AGENT" }] });
    expect(codes(planner)).toEqual(["FABEDGE_AGENT info"]);
  });

  test.each([
    ["host", "absent"],
    ["pod", "present"],
    ["Host", "held"],
    ["", "held"],
  ])("is moved by its node's label alone: %p is %s", (said, state) => {
    const planner = planned("pod", pod("a"));
    expect(planner.apply([node(said)]).documents).toContain(POD);
    expect(planner.document(POD).state).toBe(state as "absent");
    expect(codes(planner).includes("FABEDGE_AGENT info")).toBe(state === "held");
  });

  test("holds no other node back, and no agent of the operator's own", () => {
    const planner = planned("pod", edgeNode("e2", { ip: "192.0.2.2", cidrs: ["10.1.2.0/24"] }), pod("a"));
    expect(planner.document("Pod/fabedge/e2").state).toBe("present");
    planner.apply([pod("ours", "0badcafe", "e2")]);
    expect(planner.document("Pod/fabedge/e2").state).toBe("present");
    expect(planner.problems("Node/e2")).toEqual([]);
  });

  test("makes way for the default once the last one is gone", () => {
    const planner = planned("pod", pod("a"), pod("b"));
    planner.apply([gone("a")]);
    expect(planner.document(POD).state).toBe("held");
    const { documents, subjects } = planner.apply([gone("b")]);
    expect([...documents]).toContain(POD);
    expect([...subjects]).toEqual(["Node/e1"]);
    expect(planner.document(POD).state).toBe("present");
    expect(codes(planner)).toEqual([]);
  });

  test.each([
    ["of the cloud", cloudNode("c1", { ip: "10.0.0.1", cidrs: ["10.1.9.0/24"] })],
    ["that nobody knows", cloudNode("c2")],
  ])("is left alone on a node %s, too", (_, other) => {
    const planner = planned("host", other, pod("a", undefined, "c1"));
    expect(planner.document("Pod/fabedge/c1").state).toBe("held");
  });

  test("keeps its certificate while that is valid", () => {
    const kept = (planner: OperatorPlanner) => planner.document("Secret/fabedge/fabedge-agent-tls-e1");
    const planner = planned("host", pod("a"));
    expect(kept(planner)).toMatchObject({ object: { keptWhileValid: true } });
    expect(planner.apply([node("pod")]).documents).toContain("Secret/fabedge/fabedge-agent-tls-e1");
    expect(kept(planner)).toMatchObject({ object: { keptWhileValid: false } });
  });
});
