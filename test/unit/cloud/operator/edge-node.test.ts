import { describe, expect, test } from "bun:test";
import {
  checkEdgeNode,
  isEdgeNode,
  PUBLIC_ADDRESSES_LIMIT,
  readAgentMode,
  readPublicAddresses,
} from "../../../../cloud/operator/edge-node.ts";
import { NODE_NAME_MAX } from "../../../../cloud/operator/object-names.ts";
import type { ClusterNode } from "../../../../src/network/cluster-node.ts";
import { cloudNode, edgeNode, makeOperatorSettings } from "../../../support/operator-objects.ts";

const SETTINGS = makeOperatorSettings();

function node(over: Parameters<typeof edgeNode>[1] = {}, name = "e1"): ClusterNode {
  return edgeNode(name, { ip: "192.0.2.1", ...over }).value as ClusterNode;
}

function addresses(text: string) {
  const read = readPublicAddresses(node({ annotations: { "fabedge.io/node-public-addresses": text } }));
  return { addresses: read.addresses, codes: read.problems.map((problem) => problem.code) };
}

describe("an edge node", () => {
  test("has all of the edge labels, each with its value", () => {
    const two = makeOperatorSettings({
      edgeLabels: { "node-role.kubernetes.io/edge": "", "agent.example/on": "true" },
    });
    expect(isEdgeNode(node(), SETTINGS)).toBe(true);
    expect(isEdgeNode(cloudNode("c1").value as ClusterNode, SETTINGS)).toBe(false);
    expect(isEdgeNode(node(), two)).toBe(false);
    expect(isEdgeNode(node({ labels: { "agent.example/on": "false" } }), two)).toBe(false);
    expect(isEdgeNode(node({ labels: { "agent.example/on": "true" } }), two)).toBe(true);
  });

  test("runs its agent as its label says, or as all do", () => {
    expect(readAgentMode(node({ labels: { "selvedge.io/agent-mode": "host" } }), SETTINGS)).toEqual({
      mode: "host",
      problems: [],
    });
    expect(readAgentMode(node(), SETTINGS)).toEqual({ mode: "pod", problems: [] });
    const wrong = readAgentMode(node({ labels: { "selvedge.io/agent-mode": "Host" } }), SETTINGS);
    expect(wrong).toMatchObject({ mode: "pod", problems: [{ code: "AGENT_MODE_UNKNOWN" }] });
  });

  test("is reached at its own addresses, or at those of its annotation", () => {
    expect(readPublicAddresses(node())).toEqual({ addresses: node().internalIps, problems: [] });
    expect(addresses("203.0.113.7, E1.Example.org,203.0.113.7")).toEqual({
      addresses: ["203.0.113.7", "e1.example.org"],
      codes: [],
    });
  });

  test("is reached at what of its annotation can be read", () => {
    expect(addresses("203.0.113.7,http://e1/")).toEqual({
      addresses: ["203.0.113.7"],
      codes: ["PUBLIC_ADDRESS_MALFORMED"],
    });
    expect(addresses("256.1.1.1")).toEqual({ addresses: ["192.0.2.1"], codes: ["PUBLIC_ADDRESS_MALFORMED"] });
  });

  test("has as many public addresses as charon tries in good time", () => {
    const many = Array.from({ length: PUBLIC_ADDRESSES_LIMIT + 1 }, (_, i) => `203.0.113.${i}`);
    const read = addresses(many.join(","));
    expect(read.addresses).toHaveLength(PUBLIC_ADDRESSES_LIMIT);
    expect(read.codes).toEqual(["PUBLIC_ADDRESS_MALFORMED"]);
  });

  test("needs an address, and a name that is not the connector's", () => {
    const codes = (one: ClusterNode) => checkEdgeNode(one, SETTINGS).map((problem) => problem.code);
    expect(codes(node())).toEqual([]);
    expect(codes({ ...node(), internalIps: [] })).toEqual(["INTERNAL_IP_MISSING"]);
    expect(codes(node({}, "connector"))).toEqual(["NODE_NAME_UNUSABLE"]);
    expect(codes(node({}, "n".repeat(NODE_NAME_MAX)))).toEqual([]);
    expect(codes(node({}, "n".repeat(NODE_NAME_MAX + 1)))).toEqual(["NODE_NAME_UNUSABLE"]);
  });
});
