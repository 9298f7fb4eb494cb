import type { ClusterNode } from "../../src/network/cluster-node.ts";
import type { Community } from "../../src/network/community.ts";
import type { OperatorChange, OperatorObjects } from "../operator/change.ts";
import { observedKinds } from "../operator/observed-kinds.ts";
import { OperatorPlanner } from "../operator/planner.ts";
import type { OperatorSettings } from "../operator/settings.ts";
import type { ClusterView } from "./cluster-view.ts";

/** A cluster's objects at one moment, and what the operator makes of them. */
export interface ClusterPlan {
  readonly settings: OperatorSettings;
  /** By name. */
  readonly nodes: readonly ClusterNode[];
  readonly communities: readonly Community[];
  /** Names of the objects of clusters. */
  readonly clusters: readonly string[];
  readonly planner: OperatorPlanner;
}

export async function planCluster(settings: OperatorSettings, cluster: ClusterView): Promise<ClusterPlan> {
  const kinds = observedKinds(settings);
  const [nodes, communities, clusters, blocks] = await Promise.all([
    cluster.entries(kinds.Node),
    cluster.entries(kinds.Community),
    cluster.entries(kinds.Cluster),
    settings.cni === "calico" ? cluster.entries(kinds.IPAMBlock) : new Map(),
  ]);
  return planObjects(settings, { Node: nodes, Community: communities, Cluster: clusters, IPAMBlock: blocks });
}

export function planObjects(
  settings: OperatorSettings,
  objects: { readonly [K in keyof OperatorObjects]: ReadonlyMap<string, OperatorObjects[K]> },
): ClusterPlan {
  const changes: OperatorChange[] = Object.entries(objects).flatMap(([kind, values]) =>
    [...values].map(([key, value]) => ({ kind, key, value }) as OperatorChange),
  );
  const byName = <T extends { readonly name: string }>(values: Iterable<T>) =>
    [...values].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    settings,
    nodes: byName(objects.Node.values()),
    communities: byName(objects.Community.values()),
    clusters: [...objects.Cluster.keys()].sort(),
    planner: new OperatorPlanner(settings, changes),
  };
}
