import { describe, expect, test } from "bun:test";
import { PodSubnets } from "../../../../cloud/operator/pod-subnets.ts";
import type { OperatorSettings } from "../../../../cloud/operator/settings.ts";
import { formatPrefix } from "../../../../src/base/ip.ts";
import type { ClusterNode } from "../../../../src/network/cluster-node.ts";
import type { IpamBlock } from "../../../../src/network/ipam-block.ts";
import { prefix } from "../../../support/network-objects.ts";
import { edgeNode, ipamBlock, makeCalicoSettings, makeOperatorSettings } from "../../../support/operator-objects.ts";

function node(
  name: string,
  annotation?: string,
  created = "2026-01-01T00:00:00Z",
  cidrs: readonly string[] = [],
): ClusterNode {
  const annotations = annotation === undefined ? {} : { "fabedge.io/subnets": annotation };
  return edgeNode(name, { created, annotations, cidrs }).value as ClusterNode;
}

function block(cidr: string, host: string, created?: string): IpamBlock {
  return ipamBlock(cidr, host, created).value as IpamBlock;
}

function planOf(settings: OperatorSettings, ...nodes: readonly ClusterNode[]): PodSubnets {
  const plan = new PodSubnets(settings);
  for (const one of nodes) plan.setEdge(one);
  plan.settle();
  return plan;
}

function subnets(plan: PodSubnets, name: string): readonly string[] {
  return plan.edge(name)?.subnets.map(formatPrefix) ?? [];
}

function codes(plan: PodSubnets, name: string): readonly string[] {
  return plan.edge(name)?.problems.map((problem) => problem.code) ?? [];
}

const OLD = "2025-01-01T00:00:00Z";
const CALICO = makeCalicoSettings();
/** Two parts. */
const SMALL = makeCalicoSettings({ edgePools: [{ cidr: prefix("10.1.0.0/23"), blockLength: 24 }] });

describe("with Calico", () => {
  test("what an annotation says is honoured, whatever its length", () => {
    const plan = planOf(CALICO, node("e1", "10.1.128.0/20"));
    expect(subnets(plan, "e1")).toEqual(["10.1.128.0/20"]);
    expect(plan.edge("e1")).toMatchObject({ annotation: undefined, problems: [] });
  });

  test("two nodes that claim one subnet: the older has it, the other one is told what to do", () => {
    const plan = planOf(CALICO, node("young", "10.1.7.0/24"), node("old", "10.1.7.0/24", OLD));
    expect(subnets(plan, "old")).toEqual(["10.1.7.0/24"]);
    expect(subnets(plan, "young")).toEqual([]);
    const [problem] = plan.edge("young")?.problems ?? [];
    expect(problem).toMatchObject({ code: "SUBNET_CONFLICT", severity: "failed" });
    expect(problem?.message).toContain("Node old");
    plan.setEdge(node("young"));
    expect([...plan.settle()]).toContain("young");
    expect(subnets(plan, "young")).toHaveLength(1);
    expect(plan.edge("young")).toMatchObject({ annotation: subnets(plan, "young")[0], problems: [] });
  });

  test("a node of the same name as one that went gets the same subnet", () => {
    const plan = planOf(CALICO, node("e1"));
    const before = subnets(plan, "e1");
    plan.deleteNode("e1");
    plan.settle();
    expect(plan.edge("e1")).toBeUndefined();
    plan.setEdge(node("e1"));
    plan.settle();
    expect(subnets(plan, "e1")).toEqual(before);
  });

  test("text that is no list of CIDRs is replaced", () => {
    const plan = planOf(CALICO, node("e1", "10.1.7.0/33"));
    expect(codes(plan, "e1")).toEqual(["SUBNETS_MALFORMED"]);
    const [subnet = ""] = subnets(plan, "e1");
    expect(plan.edge("e1")?.annotation).toBe(subnet);
    plan.setEdge(node("e1", subnet));
    plan.settle();
    expect(codes(plan, "e1")).toEqual([]);
  });

  test("a subnet in no pool is not used, and not exchanged behind anybody's back", () => {
    const plan = planOf(CALICO, node("e1", "8.0.0.0/8"));
    expect(subnets(plan, "e1")).toEqual([]);
    expect(plan.edge("e1")?.annotation).toBeUndefined();
    expect(codes(plan, "e1")).toEqual(["SUBNET_OUTSIDE_POOL"]);
  });

  test("an exhausted pool is said, and the one who waits gets what becomes free", () => {
    const plan = planOf(SMALL, node("e1"), node("e2"), node("e3", undefined, "2026-02-01T00:00:00Z"));
    expect(codes(plan, "e3")).toEqual(["POOL_EXHAUSTED"]);
    const [first] = subnets(plan, "e1");
    plan.deleteNode("e1");
    expect([...plan.settle()]).toContain("e3");
    expect(codes(plan, "e3")).toEqual([]);
    expect(subnets(plan, "e3")).toEqual([first as string]);
  });

  test("who gets the last subnet does not depend on the order in which nodes come", () => {
    const nodes = [node("e1"), node("e2"), node("e3", undefined, OLD)];
    const one = planOf(SMALL, ...nodes);
    const other = planOf(SMALL, ...nodes.toReversed());
    for (const { name } of nodes) expect(subnets(one, name)).toEqual(subnets(other, name));
    expect(codes(one, "e2")).toEqual(["POOL_EXHAUSTED"]);
  });

  test("nothing is given out that a block or another node's annotation has", () => {
    const plan = new PodSubnets(SMALL);
    plan.setBlock("b1", block("10.1.0.64/26", "cloud-1"));
    plan.setEdge(node("e1", "10.1.1.128/25"));
    plan.setEdge(node("e2"));
    plan.settle();
    expect(codes(plan, "e2")).toEqual(["POOL_EXHAUSTED"]);
    plan.setBlock("b1", undefined);
    plan.settle();
    expect(subnets(plan, "e2")).toEqual(["10.1.0.0/24"]);
  });

  test("what was given and not yet written is given up for somebody who has had it longer", () => {
    const plan = planOf(SMALL, node("e1"));
    const [given = ""] = subnets(plan, "e1");
    plan.setEdge(node("old", given, OLD));
    plan.settle();
    expect(subnets(plan, "old")).toEqual([given]);
    expect(subnets(plan, "e1")).toHaveLength(1);
    expect(subnets(plan, "e1")).not.toEqual([given]);
    expect(codes(plan, "e1")).toEqual([]);
  });

  test("what is written counts before what is only planned, however young the node", () => {
    const plan = planOf(SMALL, node("e1", undefined, OLD));
    const [given = ""] = subnets(plan, "e1");
    plan.setEdge(node("young", given));
    plan.settle();
    expect(subnets(plan, "young")).toEqual([given]);
    expect(codes(plan, "young")).toEqual([]);
    expect(subnets(plan, "e1")).not.toEqual([given]);
    expect(plan.edge("e1")).toMatchObject({ annotation: subnets(plan, "e1")[0], problems: [] });
  });

  test("what was given stays given while other things change before it is written", () => {
    const [first = ""] = subnets(planOf(SMALL, node("e1")), "e1");
    const plan = planOf(SMALL, node("old", first, OLD), node("e1"));
    const given = subnets(plan, "e1");
    expect(given).not.toEqual([first]);
    plan.deleteNode("old");
    plan.setEdge({ ...node("e1"), internalIps: [] });
    plan.settle();
    expect(subnets(plan, "e1")).toEqual(given);
  });

  test("a node without the edge label keeps its subnet for when it has it again", () => {
    const plan = planOf(SMALL, node("e1", "10.1.0.0/24"), node("e2", "10.1.1.0/24"));
    plan.setCloud(node("e1", "10.1.0.0/24"));
    plan.setEdge(node("e3"));
    plan.settle();
    expect(codes(plan, "e3")).toEqual(["POOL_EXHAUSTED"]);
    expect(plan.cloud("e1").subnets).toEqual([]);
  });

  test("a second family is added to the first", () => {
    const dual = makeCalicoSettings({
      edgePools: [...CALICO.edgePools, { cidr: prefix("fd00:1::/64"), blockLength: 120 }],
    });
    const plan = planOf(dual, node("e1", "10.1.7.0/24"));
    expect(plan.edge("e1")?.annotation).toMatch(/^10\.1\.7\.0\/24,fd00:1:.*\/120$/);
    expect(subnets(plan, "e1")).toHaveLength(2);
  });

  test("a pool that is exhausted in one family still serves the other", () => {
    const dual = makeCalicoSettings({
      edgePools: [...SMALL.edgePools, { cidr: prefix("fd00:1::/64"), blockLength: 120 }],
    });
    const plan = planOf(dual, node("e1"), node("e2"), node("e3"));
    expect(subnets(plan, "e3")).toHaveLength(1);
    expect(plan.edge("e3")?.problems).toMatchObject([{ code: "POOL_EXHAUSTED", severity: "degraded" }]);
  });
});

describe("with flannel", () => {
  const flannel = makeOperatorSettings();

  test("a node has what Kubernetes gave to it, and its annotation says nothing", () => {
    const plan = planOf(flannel, node("e1", "10.9.9.0/24", undefined, ["10.1.7.0/24", "fd00:7::/64"]));
    expect(subnets(plan, "e1")).toEqual(["10.1.7.0/24", "fd00:7::/64"]);
    expect(plan.edge("e1")?.annotation).toBeUndefined();
  });

  test("a node without pod CIDR is told so", () => {
    expect(codes(planOf(flannel, node("e1")), "e1")).toEqual(["POD_CIDR_MISSING"]);
  });

  test("a pod CIDR inside the services' network is not used", () => {
    const plan = planOf(flannel, node("e1", undefined, undefined, ["10.96.7.0/24"]));
    expect(codes(plan, "e1")).toEqual(["SUBNET_CONFLICT"]);
  });

  test("nor is it where nobody says how old the node is, as in a folder of manifests", () => {
    const plan = planOf(flannel, node("e1", undefined, "", ["10.96.7.0/24"]));
    expect(codes(plan, "e1")).toEqual(["SUBNET_CONFLICT"]);
  });

  test("of a cloud node, only what nobody else had is behind the connector", () => {
    const plan = planOf(flannel, node("e1", undefined, OLD, ["10.1.7.0/24"]));
    plan.setCloud(node("c1", undefined, undefined, ["10.1.7.0/24", "fd00:7::/64"]));
    plan.settle();
    const { subnets: cidrs, problems } = plan.cloud("c1");
    expect(cidrs.map(formatPrefix)).toEqual(["fd00:7::/64"]);
    expect(problems.map((problem) => problem.code)).toEqual(["SUBNET_CONFLICT"]);
  });
});
