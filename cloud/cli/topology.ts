import type { TunnelEndpointType } from "../../src/network/tunnel-endpoint.ts";
import { endpointName } from "../operator/object-names.ts";
import type { ClusterPlan } from "./planned-cluster.ts";

/** In the picture of a larger community a point that bears its name is linked to each member, instead of all pairs. */
export const PAIRS_LIMIT = 8;

export interface TopologyEndpoint {
  readonly name: string;
  readonly cluster: string;
  readonly type: TunnelEndpointType;
  /** Of the cluster that was asked. */
  readonly local: boolean;
  /** Whether the plan can use it. */
  readonly ready: boolean;
}

export interface TopologyCommunity {
  readonly name: string;
  /** Those that can be used, sorted; each talks to each. */
  readonly members: readonly string[];
}

export interface TopologyLink {
  readonly from: string;
  readonly to: string;
  /** The node of the connector that the edge is connected to now, as far as connectors say; null: to none. */
  readonly via: string | null;
}

/** Who has tunnels with whom: an edge node with its own cluster's connector, and communities within themselves. */
export interface Topology {
  readonly cluster: string;
  /** This cluster's first, connectors before edge nodes, then by name. */
  readonly endpoints: readonly TopologyEndpoint[];
  /** The largest first, then by name. */
  readonly communities: readonly TopologyCommunity[];
  /** From each edge node that can be used to its connector. */
  readonly links: readonly TopologyLink[];
}

export function planTopology({ settings, planner, nodes, communities, holders }: ClusterPlan): Topology {
  const { cluster } = settings;
  const connector = planner.connector;
  const endpoints: TopologyEndpoint[] = [
    { name: connector.name, cluster, type: "Connector", local: true, ready: connector.nodeSubnets.length > 0 },
  ];
  for (const { name } of nodes) {
    const edge = planner.edge(name);
    if (edge === undefined) continue;
    const ready = edge.endpoint !== undefined;
    endpoints.push({ name: endpointName(cluster, name), cluster, type: "EdgeNode", local: true, ready });
  }
  for (const remote of planner.remoteClusters()) {
    for (const { name, type = "EdgeNode" } of remote.endpoints) {
      endpoints.push({ name, cluster: remote.cluster.name, type, local: false, ready: true });
    }
  }
  endpoints.sort(byPlace);
  const usable = new Set(endpoints.filter((e) => e.ready || e.type === "Connector").map(({ name }) => name));
  const connectors = new Map(endpoints.filter((e) => e.type === "Connector").map((e) => [e.cluster, e.name]));
  return {
    cluster,
    endpoints,
    communities: communities
      .map(({ name, members }) => ({ name, members: [...new Set(members)].filter((each) => usable.has(each)).sort() }))
      .filter(({ members }) => members.length > 1)
      .sort((a, b) => b.members.length - a.members.length || (a.name < b.name ? -1 : 1)),
    links: endpoints.flatMap((endpoint) => {
      const to = connectors.get(endpoint.cluster);
      if (endpoint.type !== "EdgeNode" || !endpoint.ready || to === undefined) return [];
      return [{ from: endpoint.name, to, via: holders.get(endpoint.name)?.connector.node ?? null }];
    }),
  };
}

function byPlace(a: TopologyEndpoint, b: TopologyEndpoint): number {
  return (
    Number(b.local) - Number(a.local) ||
    compare(a.cluster, b.cluster) ||
    compare(a.type, b.type) ||
    compare(a.name, b.name)
  );
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
