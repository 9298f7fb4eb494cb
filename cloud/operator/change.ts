import type { Cluster } from "../../src/network/cluster.ts";
import type { ClusterNode } from "../../src/network/cluster-node.ts";
import type { Community } from "../../src/network/community.ts";
import type { IpamBlock } from "../../src/network/ipam-block.ts";

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
  readonly [K in keyof OperatorObjects]: {
    readonly kind: K;
    readonly key: string;
    readonly value: OperatorObjects[K] | undefined;
  };
}[keyof OperatorObjects];
