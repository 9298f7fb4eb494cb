import type { KubernetesObject } from "../../lab/service-objects.ts";

export const CLUSTER = "paris";
/** One node of so many is in the cloud. */
const CLOUD_NODES_EVERY = 100;
/** Numbers of nodes are a multiple of it. */
export const NEIGHBOURS = 50;

export function isEdge(i: number): boolean {
  return i % CLOUD_NODES_EVERY !== 0;
}

export function nodeName(i: number): string {
  return `${isEdge(i) ? "edge" : "cloud"}-${i}`;
}

/** The edge nodes that are a node's neighbours, itself included. */
export function neighboursOf(i: number): readonly string[] {
  const first = i - (i % NEIGHBOURS);
  return Array.from({ length: NEIGHBOURS }, (_, n) => first + n)
    .filter(isEdge)
    .map(nodeName);
}

/** With flannel's pod network, and what a kubelet of a real node says of itself and nobody here reads. */
export function benchNode(i: number): KubernetesObject {
  const name = nodeName(i);
  const cidr = `10.${i >> 8}.${i & 255}.0/24`;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        "beta.kubernetes.io/arch": "arm64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "arm64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        ...(isEdge(i) && { "node-role.kubernetes.io/edge": "" }),
      },
    },
    spec: { podCIDR: cidr, podCIDRs: [cidr] },
    status: {
      addresses: [
        { type: "InternalIP", address: `172.${16 + (i >> 14)}.${(i >> 7) & 127}.${1 + (i & 127)}` },
        { type: "Hostname", address: name },
      ],
      capacity: { cpu: "4", memory: "1879048Ki", pods: "110", "ephemeral-storage": "61252420Ki" },
      allocatable: { cpu: "4", memory: "1776648Ki", pods: "110", "ephemeral-storage": "56450230Ki" },
      conditions: ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"].map((type) => ({
        type,
        status: type === "Ready" ? "True" : "False",
        reason: `Kubelet${type}`,
        message: "kubelet is posting what it knows of this",
      })),
      nodeInfo: {
        machineID: "3f6e2c6f0ad54d34b9a0c3f1c1c8a001",
        systemUUID: "3f6e2c6f-0ad5-4d34-b9a0-c3f1c1c8a001",
        bootID: "b1d2c3e4-8e0b-4d0b-8a43-3f7d8f4f0c11",
        kernelVersion: "6.1.0-26-arm64",
        osImage: "Debian GNU/Linux 12 (bookworm)",
        containerRuntimeVersion: "containerd://1.7.22",
        kubeletVersion: "v1.34.4",
        kubeProxyVersion: "",
        operatingSystem: "linux",
        architecture: "arm64",
      },
    },
  };
}

/** A community for each neighbourhood of these nodes. */
export function benchCommunities(from: number, to: number): readonly KubernetesObject[] {
  return Array.from({ length: (to - from) / NEIGHBOURS }, (_, c) => ({
    apiVersion: "fabedge.io/v1alpha1",
    kind: "Community",
    metadata: { name: `line-${from / NEIGHBOURS + c}` },
    spec: { members: neighboursOf(from + c * NEIGHBOURS).map((name) => `${CLUSTER}.${name}`) },
  }));
}

/** An address that no node was reachable under before. */
export function freshPublicAddress(change: number): string {
  return `198.18.${(change >> 8) & 255}.${change & 255}`;
}
