import { describe, expect, test } from "bun:test";
import { endpointJson, ownedBy, planManifest } from "../../../../cloud/operator/manifest-plan.ts";
import { OperatorPlanner } from "../../../../cloud/operator/planner.ts";
import { cloudNode, edgeNode, makeCalicoSettings, makeConnector } from "../../../support/operator-objects.ts";

const PLANNER = new OperatorPlanner(makeCalicoSettings(), [
  edgeNode("e1", { ip: "192.0.2.1" }),
  cloudNode("c1", { ip: "10.0.0.1" }),
]);

function manifest(key: string) {
  const desired = PLANNER.document(key);
  if (desired.state !== "present" || desired.object.kind === "Secret") throw new Error(`${key} is ${desired.state}`);
  return planManifest(desired.object);
}

describe("a manifest", () => {
  test("of a node's pod has a name to be generated, and the node as its owner", () => {
    const { resource, manifest: pod } = manifest("Pod/fabedge/e1");
    expect(resource.plural).toBe("pods");
    expect(pod.metadata).toMatchObject({
      namespace: "fabedge",
      generateName: "fabedge-agent-",
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "e1", uid: "uid-e1" }],
    });
  });

  test("of a node's annotations says nothing else of the node", () => {
    const { resource, manifest: node } = manifest("NodeAnnotations/e1");
    expect(resource.plural).toBe("nodes");
    expect(node).toEqual({
      metadata: { name: "e1", annotations: { "fabedge.io/subnets": expect.stringMatching(/^10\.1\.\d+\.0\/24$/) } },
    });
  });

  test("of what belongs to no node has no owner", () => {
    expect(ownedBy(undefined)).toEqual({});
    expect(manifest("ConfigMap/fabedge/connector-config").manifest.metadata).not.toHaveProperty("ownerReferences");
  });

  test("leaves empty fields of an endpoint out, and the port that everybody means", () => {
    const empty = { subnets: [], nodeSubnets: [], publicAddresses: [], type: undefined, port: 500 };
    expect(endpointJson(makeConnector("lyon", empty))).toEqual({
      id: "C=CN, O=fabedge.io, CN=lyon.connector",
      name: "lyon.connector",
    });
    expect(endpointJson(makeConnector("lyon", { port: 45000 }))).toMatchObject({ port: 45000, type: "Connector" });
  });
});
