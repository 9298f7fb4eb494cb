import { describe, expect, test } from "bun:test";
import type { V1Node } from "@kubernetes/client-node";
import fc from "fast-check";
import { parseNode } from "../../../../../src/kube/objects/node.ts";

const NODE: V1Node = {
  metadata: { name: "edge-1", labels: { "topology.kubernetes.io/zone": "z1" } },
  spec: { podCIDR: "10.2.1.0/24", podCIDRs: ["10.2.1.0/24", "fd00:2::/64"] },
  status: {
    addresses: [
      { type: "InternalIP", address: "192.0.2.7" },
      { type: "Hostname", address: "edge-1" },
      { type: "ExternalIP", address: "203.0.113.7" },
    ],
  },
};

describe("Node", () => {
  test("has its zone, its addresses and its pods' prefixes", () => {
    expect(parseNode(NODE) as unknown).toEqual({
      ok: true,
      value: {
        name: "edge-1",
        zone: "z1",
        addresses: ["192.0.2.7", "203.0.113.7"],
        podCidrs: [
          { address: "10.2.1.0", length: 24 },
          { address: "fd00:2::", length: 64 },
        ],
      },
    });
  });

  test("a node with the single prefix, or none, is fine", () => {
    const single = parseNode({ ...NODE, spec: { podCIDR: "10.2.1.0/24" } });
    expect(single.ok && single.value.podCidrs.length).toBe(1);
    expect(parseNode({ metadata: { name: "n" } })).toMatchObject({
      ok: true,
      value: { zone: undefined, podCidrs: [] },
    });
  });

  test("never throws, whatever it is given", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => void parseNode({ metadata: { name: "n" }, spec: json, status: json })),
    );
  });
});
