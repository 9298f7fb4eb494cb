import { describe, expect, test } from "bun:test";
import { ObjectReports } from "../../../../cloud/operator/object-reports.ts";
import { OperatorPlanner } from "../../../../cloud/operator/planner.ts";
import type { Problem } from "../../../../cloud/operator/problem.ts";
import { SelvedgeError } from "../../../../src/base/errors.ts";
import { edgeNode, makeOperatorSettings } from "../../../support/operator-objects.ts";

const TOO_LARGE: Problem = {
  code: "DOCUMENT_TOO_LARGE",
  severity: "failed",
  message: "too large",
  hint: "Make it smaller.",
};
const E1 = "ConfigMap/fabedge/fabedge-agent-config-e1";
const E1_POD = "Pod/fabedge/e1";
const E1_NODE = { ip: "192.168.9.1", cidrs: ["10.1.1.0/24"] };
const CONNECTOR = "ConfigMap/fabedge/connector-config";

function refusal(code: string): SelvedgeError {
  return new SelvedgeError("Cannot apply it", { code, blame: "user", retry: "later", hint: "See why." });
}

function makeReports(authority: readonly Problem[] = []) {
  const planner = new OperatorPlanner(makeOperatorSettings(), [
    edgeNode("e1", E1_NODE),
    edgeNode("e2", { ip: "192.168.9.2", cidrs: [] }),
  ]);
  const reports = new ObjectReports({ planner, own: "Cluster/paris", authority: () => authority });
  const codes = (subject: "Node/e1" | "Node/e2" | "Cluster/paris") => reports.problems(subject).map(({ code }) => code);
  return { planner, reports, codes };
}

describe("what is said of an object", () => {
  test("includes a document of its own that is too large, until it is not", () => {
    const { planner, reports, codes } = makeReports();
    expect(reports.written(E1, { state: "held", problems: [TOO_LARGE] })).toBe("Node/e1");
    expect(reports.written(E1, { state: "held", problems: [TOO_LARGE] })).toBeUndefined();
    expect(codes("Node/e1")).toEqual(["DOCUMENT_TOO_LARGE"]);
    expect(reports.written(E1, planner.document(E1))).toBe("Node/e1");
    expect(codes("Node/e1")).toEqual([]);
  });

  test("includes what the server refuses, and not what passes by itself", () => {
    const { reports, codes } = makeReports();
    expect(reports.failed(E1, refusal("KUBE_CONFLICT"))).toBeUndefined();
    expect(reports.failed(E1, refusal("KUBE_UNREACHABLE"))).toBeUndefined();
    expect(reports.failed(E1, refusal("KUBE_FORBIDDEN"))).toBe("Node/e1");
    expect(reports.problems("Node/e1")).toEqual([
      { code: "KUBE_FORBIDDEN", severity: "degraded", message: "Cannot apply it", hint: "See why." },
    ]);
    expect(codes("Node/e2")).not.toContain("KUBE_FORBIDDEN");
  });

  test("ends with the document that could not be written, also where nobody wants it any more", () => {
    const { planner, reports, codes } = makeReports();
    expect(reports.failed(E1_POD, refusal("KUBE_FORBIDDEN"))).toBe("Node/e1");
    planner.apply([edgeNode("e1", { ...E1_NODE, labels: { "selvedge.io/agent-mode": "host" } })]);
    expect(planner.document(E1_POD)).toEqual({ state: "absent" });
    expect(reports.written(E1_POD, planner.document(E1_POD))).toBe("Node/e1");
    expect(codes("Node/e1")).toEqual([]);
    expect(codes("Cluster/paris")).toEqual([]);
  });

  test("does not say twice what the plan says", () => {
    const { planner, reports, codes } = makeReports();
    const desired = planner.document("ConfigMap/fabedge/fabedge-agent-config-e2");
    expect(desired.state).toBe("held");
    expect(reports.written("ConfigMap/fabedge/fabedge-agent-config-e2", desired)).toBeUndefined();
    expect(codes("Node/e2")).toEqual(["POD_CIDR_MISSING"]);
  });

  test("is said of the cluster's own object where it is no node's: the authority, the connector", () => {
    const { reports, codes } = makeReports([{ ...TOO_LARGE, code: "AUTHORITY_HELD" }]);
    expect(reports.written(CONNECTOR, { state: "held", problems: [TOO_LARGE] })).toBe("Cluster/paris");
    expect(codes("Cluster/paris")).toEqual(["AUTHORITY_HELD", "DOCUMENT_TOO_LARGE"]);
  });
});
