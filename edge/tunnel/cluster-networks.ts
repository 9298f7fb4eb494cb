import { formatPrefix, type Ip, type Prefix, prefixContains } from "../../src/base/ip.ts";
import type { NodeConfig } from "../../src/network/node-config.ts";
import { PrefixSet } from "../../src/network/prefix-set.ts";
import type { Route } from "../../src/wire/rtnetlink-route.ts";
import { publicIps } from "./fabric-view.ts";

/** A network that is said to be of the cluster's pods, and in which a node is. */
export interface WideNetwork {
  readonly prefix: Prefix;
  readonly node: Ip;
}

/** What counts as networks of the cluster's pods, and what does not. */
export interface ClusterNetworks {
  readonly cluster: readonly Prefix[];
  readonly wide: readonly WideNetwork[];
}

/**
 * Kubernetes wants the networks of pods and of nodes apart. Where somebody has said 10.0.0.0/8 and means it less
 * strictly, all that this node has there, its cloud perhaps, would be cut off.
 */
export function planClusterNetworks(clusterCidrs: readonly Prefix[], { endpoint, peers }: NodeConfig): ClusterNetworks {
  const nodes = [endpoint, ...peers].flatMap((one) => [...one.nodeSubnets, ...publicIps(one)]);
  const nodeIn = (prefix: Prefix) => nodes.find((address) => prefixContains(prefix, address));
  return {
    cluster: clusterCidrs.filter((prefix) => nodeIn(prefix) === undefined),
    wide: clusterCidrs.flatMap((prefix) => {
      const node = nodeIn(prefix);
      return node === undefined ? [] : [{ prefix, node }];
    }),
  };
}

/**
 * What of the cluster's networks this node's own pod network leads to. A route of the main table that is to just that
 * network, or a part of it, was made by somebody who knows the way: flannel, Calico, an administrator, who have
 * encrypted it or want it so. It counts, except where a tunnel is for it. A wider one knows nothing of pods: neither the
 * default route nor a VPN's 10.0.0.0/8.
 *
 * @param main the main table
 */
export function findNativePrefixes(
  cluster: readonly Prefix[],
  remotePods: readonly Prefix[],
  main: readonly Route[],
): readonly Prefix[] {
  const [all, tunnelled] = [new PrefixSet(cluster), new PrefixSet(remotePods)];
  const native = new Map<string, Prefix>();
  for (const { type, destination } of main) {
    if (type !== "unicast" || !all.covers(destination)) continue;
    if (!tunnelled.covers(destination)) native.set(formatPrefix(destination), destination);
  }
  return [...native.values()];
}
