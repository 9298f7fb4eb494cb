import type { OperatorChange } from "../../cloud/operator/change.ts";
import type { OperatorSettings } from "../../cloud/operator/settings.ts";
import type { Cluster } from "../../src/network/cluster.ts";
import type { ClusterNode } from "../../src/network/cluster-node.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { ip, prefix } from "./network-objects.ts";

export const EDGE_LABEL = "node-role.kubernetes.io/edge";

/** The settings of the cluster "paris" of the samples, with flannel unless told otherwise. */
export function makeOperatorSettings(over: Partial<OperatorSettings> = {}): OperatorSettings {
  return {
    cluster: "paris",
    role: "host",
    zone: "default",
    region: "default",
    namespace: "fabedge",
    cni: "flannel",
    clusterCidrs: [prefix("10.1.0.0/16")],
    connector: {
      subnets: [prefix("10.96.0.0/16")],
      publicAddresses: ["198.51.100.1"],
      publicPort: 500,
      mediator: false,
    },
    edgeLabels: { [EDGE_LABEL]: "" },
    edgePools: [],
    keepIpPools: true,
    endpointIdFormat: "C=CN, O=fabedge.io, CN={node}",
    certificateOrganization: "fabedge.io",
    agent: {
      mode: "pod",
      image: "selvedge/agent:1",
      strongswanImage: "selvedge/strongswan:1",
      imagePullPolicy: "IfNotPresent",
      imagePullSecrets: [],
      arguments: {},
    },
    ...over,
  };
}

/** With Calico: edge nodes get /24s of 10.1.0.0/16. */
export function makeCalicoSettings(over: Partial<OperatorSettings> = {}): OperatorSettings {
  return makeOperatorSettings({
    cni: "calico",
    clusterCidrs: [prefix("10.233.64.0/18")],
    edgePools: [{ cidr: prefix("10.1.0.0/16"), blockLength: 24 }],
    ...over,
  });
}

interface NodeDescription extends Partial<Omit<ClusterNode, "internalIps" | "podCidrs">> {
  readonly ip?: string;
  readonly cidrs?: readonly string[];
}

function makeNode(name: string, labels: ClusterNode["labels"], description: NodeDescription): OperatorChange {
  const { ip: address, cidrs = [], ...over } = description;
  const value: ClusterNode = {
    name,
    uid: `uid-${name}`,
    created: "2026-01-01T00:00:00Z",
    annotations: {},
    ready: true,
    internalIps: address === undefined ? [] : [ip(address)],
    podCidrs: cidrs.map(prefix),
    ...over,
    labels: { ...labels, ...over.labels },
  };
  return { kind: "Node", key: name, value };
}

export function edgeNode(name: string, description: NodeDescription = {}): OperatorChange {
  return makeNode(name, { [EDGE_LABEL]: "" }, description);
}

export function cloudNode(name: string, description: NodeDescription = {}): OperatorChange {
  return makeNode(name, {}, description);
}

export function community(name: string, members: readonly string[]): OperatorChange {
  return { kind: "Community", key: name, value: { name, members, generation: 1 } };
}

export function ipamBlock(cidr: string, node: string | undefined, created = "2026-01-01T00:00:00Z"): OperatorChange {
  const name = cidr.replace(/[.:/]/g, "-");
  return { kind: "IPAMBlock", key: name, value: { name, created, cidr: prefix(cidr), node } };
}

export function makeConnector(cluster: string, over: Partial<TunnelEndpoint> = {}): TunnelEndpoint {
  return {
    id: `C=CN, O=fabedge.io, CN=${cluster}.connector`,
    name: `${cluster}.connector`,
    publicAddresses: ["198.51.100.9"],
    port: undefined,
    subnets: [prefix("10.97.0.0/16"), prefix("10.2.0.0/24")],
    nodeSubnets: [ip("10.20.0.4")],
    type: "Connector",
    ...over,
  };
}

export function remoteCluster(name: string, over: Partial<Cluster> = {}): OperatorChange {
  const value: Cluster = {
    name,
    created: "2026-01-02T00:00:00Z",
    generation: 1,
    cidrs: [prefix("10.2.0.0/16"), prefix("10.97.0.0/16")],
    endpoints: [makeConnector(name)],
    hasToken: true,
    ...over,
  };
  return { kind: "Cluster", key: name, value };
}

export function gone(change: OperatorChange): OperatorChange {
  return { ...change, value: undefined };
}
