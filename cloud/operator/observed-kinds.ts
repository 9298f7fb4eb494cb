import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { parseCluster } from "../../src/kube/objects/cluster.ts";
import { parseClusterNode } from "../../src/kube/objects/cluster-node.ts";
import { parseCommunity } from "../../src/kube/objects/community.ts";
import { parseIpamBlock } from "../../src/kube/objects/ipam-block.ts";
import { CLUSTERS, COMMUNITIES, IPAM_BLOCKS, NODES } from "../../src/kube/resource.ts";
import type { OperatorObjects } from "./change.ts";
import {
  AGENT_MODE_LABEL,
  ARGUMENT_ANNOTATION_PREFIX,
  PUBLIC_ADDRESSES_ANNOTATION,
  SUBNETS_ANNOTATION,
} from "./object-names.ts";
import type { OperatorSettings } from "./settings.ts";

/** How each kind that a plan is made from is read. IPAMBlocks are there with Calico only. */
export function observedKinds(settings: OperatorSettings): {
  readonly [K in keyof OperatorObjects]: ObjectDecoder<OperatorObjects[K]>;
} {
  const labels = new Set([...Object.keys(settings.edgeLabels), AGENT_MODE_LABEL]);
  const filter = { labels, annotations: isOurs };
  return {
    Node: { resource: NODES, decode: (json) => parseClusterNode(json, filter) },
    Community: { resource: COMMUNITIES, decode: parseCommunity },
    Cluster: { resource: CLUSTERS, decode: parseCluster },
    IPAMBlock: { resource: IPAM_BLOCKS, decode: parseIpamBlock },
  };
}

function isOurs(annotation: string): boolean {
  return (
    annotation === SUBNETS_ANNOTATION ||
    annotation === PUBLIC_ADDRESSES_ANNOTATION ||
    annotation.startsWith(ARGUMENT_ANNOTATION_PREFIX)
  );
}
