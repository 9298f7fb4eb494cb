import type { Cluster } from "../../src/network/cluster.ts";
import type { ClusterNode } from "../../src/network/cluster-node.ts";
import type { Community } from "../../src/network/community.ts";
import type { IpamBlock } from "../../src/network/ipam-block.ts";
import type { AgentPod } from "./observed-documents.ts";

/** What the plan is made from. */
export interface OperatorObjects {
  readonly Node: ClusterNode;
  readonly Community: Community;
  readonly Cluster: Cluster;
  readonly IPAMBlock: IpamBlock;
}

/**
 * One object as it is now, or gone when `value` is undefined. The key is its name; what a member learns from its host
 * is keyed "host/<name>", so that it never is taken for an object of this cluster.
 */
export type OperatorChange = {
  readonly [K in keyof OperatorObjects]: Change<K, OperatorObjects[K]>;
}[keyof OperatorObjects];

/** Agent pods are planned, but somebody else's stand in the way of what is. */
export type PlanChange = OperatorChange | Change<"AgentPod", AgentPod>;

interface Change<K, T> {
  readonly kind: K;
  readonly key: string;
  readonly value: T | undefined;
}
