import { describe, expect, test } from "bun:test";
import { admittedCertificate } from "../../../../cloud/operator/admission.ts";
import { OperatorPlanner } from "../../../../cloud/operator/planner.ts";
import { cloudNode, edgeNode, makeCalicoSettings } from "../../../support/operator-objects.ts";

const PLANNER = new OperatorPlanner(makeCalicoSettings(), [
  edgeNode("e1", { ip: "192.0.2.1", labels: { "selvedge.io/agent-mode": "host" } }),
  edgeNode("e2", { ip: "192.0.2.2", labels: { "selvedge.io/agent-mode": "pod" } }),
  edgeNode("e3"),
  edgeNode("e4", { ip: "192.0.2.4" }),
  {
    kind: "AgentPod",
    key: "fabedge/old",
    value: { node: "e4", hash: undefined, ready: false, terminating: false, ended: false },
  },
  cloudNode("c1", { ip: "10.0.0.1" }),
]);
const admit = (node: string) => admittedCertificate(node, "fabedge", (key) => PLANNER.document(key));

describe("a node with a key of its own", () => {
  test("gets the names that the plan gives it", () => {
    expect(admit("e1")).toMatchObject({ commonName: "paris.e1", ips: ["192.0.2.1"] });
  });

  test.each([
    ["c1", "it is no edge node of this cluster"],
    ["nobody", "it is no edge node of this cluster"],
    ["e2", "its agent is a pod"],
    ["e4", "an agent of FabEdge's on it reads its key from a Secret"],
    ["e3", "no address of type InternalIP"],
  ])("is not let in as %s: %s", (node, why) => {
    expect(() => admit(node)).toThrow(why);
  });

  test("comes again when nothing is planned yet", () => {
    expect(() => admittedCertificate("e1", "fabedge", () => undefined)).toThrow("not everything has been read yet");
  });
});
