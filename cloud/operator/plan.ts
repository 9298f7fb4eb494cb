import { formatPrefix, ipFamily, type Prefix } from "../../src/base/ip.ts";
import { CONNECTOR_CONFIG, CONNECTOR_TLS, shardName } from "../../src/kube/objects/connector-documents.ts";
import { CREATED_BY, CREATED_BY_LABEL } from "../../src/kube/objects/created-by.ts";
import { formatNodeConfig, formatPeers } from "../../src/network/node-config-text.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { hashPodSpec, planAgentPod } from "./agent-pod.ts";
import type {
  DesiredCertificate,
  DesiredCluster,
  DesiredConfigMap,
  DesiredIpPool,
  DesiredPod,
  Labels,
  NodeOwner,
} from "./document.ts";
import type { EdgeNode } from "./node-states.ts";
import {
  AGENT_APP,
  APP_LABEL,
  ARGUMENTS_FILE,
  agentConfigName,
  agentPodLabel,
  agentTlsName,
  CLUSTER_LABEL,
  connectorName,
  endpointName,
  labelValue,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  MEDIATOR,
  NAME_LABEL,
  NODE_LABEL,
  POD_HASH_LABEL,
  TUNNELS_FILE,
} from "./object-names.ts";
import type { OperatorSettings } from "./settings.ts";

const OURS: Labels = { [CREATED_BY_LABEL]: CREATED_BY };
/** Calico's defaults for the blocks of a pool. */
const BLOCK_SIZE = { 4: 26, 6: 122 } as const;

/**
 * What an edge node has to know: its endpoint, and the connector before its other peers.
 *
 * @param peers as `formatPeer` gives them
 */
export function planAgentConfig(
  edge: EdgeNode,
  endpoint: TunnelEndpoint,
  peers: readonly string[],
  connector: TunnelEndpoint,
  settings: OperatorSettings,
): DesiredConfigMap {
  const { node, mode } = edge;
  const config = { endpoint, peers: [], mediator: planMediator(connector, settings), peerShards: 0 };
  const tunnels = { [TUNNELS_FILE]: formatNodeConfig(config, peers) };
  return {
    kind: "ConfigMap",
    namespace: settings.namespace,
    name: agentConfigName(node.name),
    labels: { ...OURS, [NODE_LABEL]: labelValue(node.name) },
    owner: ownerOf(edge),
    // A pod has them in its command line, a unit has nothing that could be written from here.
    data: mode === "pod" ? tunnels : { ...tunnels, [ARGUMENTS_FILE]: formatArguments(edge) },
  };
}

/** @param foreignAgent an agent that is not ours has it open: nobody starts that one again when the key is another */
export function planAgentCertificate(
  edge: EdgeNode,
  foreignAgent: boolean,
  settings: OperatorSettings,
): DesiredCertificate {
  const { node } = edge;
  const name = endpointName(settings.cluster, node.name);
  return {
    kind: "Secret",
    namespace: settings.namespace,
    name: agentTlsName(node.name),
    labels: { ...OURS, [NODE_LABEL]: labelValue(node.name) },
    owner: ownerOf(edge),
    organization: settings.certificateOrganization,
    commonName: name,
    // The identity towards a mediator is the name alone.
    dnsNames: [name],
    ips: node.internalIps,
    keptWhileValid: foreignAgent,
  };
}

export function planAgentPodObject(edge: EdgeNode, settings: OperatorSettings): DesiredPod {
  const { node } = edge;
  const spec = planAgentPod(node.name, edge.arguments, settings);
  return {
    kind: "Pod",
    namespace: settings.namespace,
    node: node.name,
    generateName: `${AGENT_APP}-`,
    labels: {
      ...OURS,
      [MANAGED_BY_LABEL]: MANAGED_BY,
      [APP_LABEL]: AGENT_APP,
      [NAME_LABEL]: agentPodLabel(node.name),
      [POD_HASH_LABEL]: hashPodSpec(spec),
    },
    owner: ownerOf(edge),
    spec,
  };
}

/** @param shards in how many further documents the peers stand; then there are none in this one */
export function planConnectorConfig(
  connector: TunnelEndpoint,
  peers: readonly string[],
  shards: number,
  settings: OperatorSettings,
): DesiredConfigMap {
  const config = { endpoint: connector, peers: [], mediator: planMediator(connector, settings), peerShards: shards };
  return connectorConfig(CONNECTOR_CONFIG, formatNodeConfig(config, peers), settings);
}

export function planPeerShard(shard: number, peers: readonly string[], settings: OperatorSettings): DesiredConfigMap {
  return connectorConfig(shardName(CONNECTOR_CONFIG, shard), formatPeers(peers), settings);
}

export function planConnectorCertificate(settings: OperatorSettings): DesiredCertificate {
  return {
    kind: "Secret",
    namespace: settings.namespace,
    name: CONNECTOR_TLS,
    labels: OURS,
    owner: undefined,
    organization: settings.certificateOrganization,
    commonName: connectorName(settings.cluster),
    dnsNames: [],
    ips: [],
    keptWhileValid: false,
  };
}

/** A pool from which Calico gives nothing: that it exists keeps Calico from masquerading what goes there. */
export function planIpPool(cluster: string, cidr: Prefix): DesiredIpPool {
  const text = formatPrefix(cidr);
  return {
    kind: "IPPool",
    name: ipPoolName(cluster, cidr),
    labels: { ...OURS, [CLUSTER_LABEL]: labelValue(cluster) },
    spec: {
      cidr: text,
      disabled: true,
      blockSize: Math.max(BLOCK_SIZE[ipFamily(cidr.address)], cidr.length),
      ipipMode: "Never",
      vxlanMode: "Never",
      natOutgoing: false,
    },
  };
}

export function ipPoolName(cluster: string, cidr: Prefix): string {
  return `${cluster}-${formatPrefix(cidr).replace(/[.:/]/g, "-")}`;
}

export function planOwnCluster(connector: TunnelEndpoint, settings: OperatorSettings): DesiredCluster {
  return {
    kind: "Cluster",
    name: settings.cluster,
    cidrs: [...settings.clusterCidrs, ...settings.connector.subnets],
    endpoints: [connector],
  };
}

function planMediator(connector: TunnelEndpoint, settings: OperatorSettings): TunnelEndpoint | undefined {
  if (!settings.connector.mediator) return undefined;
  return { ...connector, name: MEDIATOR, subnets: [], nodeSubnets: [], type: undefined };
}

/** Its label names the configuration that it is a part of, so that connectors watch nothing else. */
function connectorConfig(name: string, text: string, { namespace }: OperatorSettings): DesiredConfigMap {
  const labels = { ...OURS, [NAME_LABEL]: CONNECTOR_CONFIG };
  return { kind: "ConfigMap", namespace, name, labels, owner: undefined, data: { [TUNNELS_FILE]: text } };
}

/** Quoted, since a settings file takes numbers only where numbers are meant. */
function formatArguments(edge: EdgeNode): string {
  return [...edge.arguments].map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`).join("");
}

function ownerOf(edge: EdgeNode): NodeOwner {
  return { name: edge.node.name, uid: edge.node.uid };
}
