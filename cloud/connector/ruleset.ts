import { type Family, type Ip, ipBytes, ipFamily, type Prefix } from "../../src/base/ip.ts";
import {
  FABRIC_TABLE,
  FAMILIES,
  matchBetween,
  matchTo,
  planClamp,
  planGuard,
  planPrefixElements,
  planPrefixSets,
} from "../../src/linux/fabric-table.ts";
import type { TableElements, TableSpec } from "../../src/linux/nftables-table.ts";
import type { Expression } from "../../src/wire/nftables-expression.ts";
import { keepSource, masquerade, matchMark } from "../../src/wire/nftables-statement.ts";

/** Before NF_IP_PRI_NAT_SRC, where kube-proxy and the pod network masquerade: who is first decides. */
const PRIORITY_BEFORE_SRCNAT = 90;
/** KUBE-MARK-MASQ: kube-proxy, in every mode, so marks what has to come back to this node. */
const MASQUERADE_MARK = 0x4000;

/** FabEdge's sets; `tunnelled` are those of the remote ones that only a tunnel of this connector may carry. */
export interface FabricSets {
  readonly localPods: readonly Prefix[];
  readonly localNodes: readonly Prefix[];
  readonly remotePods: readonly Prefix[];
  readonly remoteNodes: readonly Prefix[];
  readonly tunnelledPods: readonly Prefix[];
  readonly tunnelledNodes: readonly Prefix[];
}

const SET_NAMES = {
  localPods: "local-pods",
  localNodes: "local-nodes",
  remotePods: "remote-pods",
  remoteNodes: "remote-nodes",
  tunnelledPods: "tunnelled-pods",
  tunnelledNodes: "tunnelled-nodes",
} as const satisfies Readonly<Record<keyof FabricSets, string>>;

/**
 * The rules of a node between the cluster and its edges: what is behind a tunnel leaves encrypted or not at all, segments
 * fit into tunnels, and addresses are translated as FabEdge's connector does it.
 *
 * FabEdge also accepts IKE and forwarded packets; a table of its own cannot overrule another's refusal, so nothing of
 * that would do anything here.
 *
 * @param nodeAddresses this node's own, as edges know it
 */
export function planConnectorTable(nodeAddresses: readonly Ip[]): TableSpec {
  return {
    family: "inet",
    name: FABRIC_TABLE,
    comment: "Selvedge: what is behind tunnels leaves encrypted or not at all",
    sets: planPrefixSets(Object.values(SET_NAMES)),
    chains: [
      ...planGuard({ own: "local-pods", pods: "tunnelled-pods", nodes: "tunnelled-nodes" }),
      planClamp(["remote-pods", "remote-nodes"]),
      {
        name: "postrouting",
        hook: { type: "nat", hook: "postrouting", priority: PRIORITY_BEFORE_SRCNAT },
        rules: FAMILIES.flatMap((family) => [
          ...planComingBack(family, nodeAddresses),
          [...matchBetween(family, "local-pods", "remote-pods"), ...keepSource(family)],
          [...matchBetween(family, "remote-pods", "local-pods"), ...keepSource(family)],
          [...matchBetween(family, "local-pods", "remote-nodes"), ...keepSource(family)],
          // Nodes answer what they know: this node, and not the pods and nodes of edges.
          [...matchBetween(family, "remote-pods", "local-nodes"), masquerade],
          [...matchBetween(family, "remote-nodes", "local-pods"), masquerade],
        ]),
      },
    ],
  };
}

export function planConnectorElements(sets: FabricSets): TableElements {
  const named = (Object.keys(SET_NAMES) as (keyof FabricSets)[]).map((key) => [SET_NAMES[key], sets[key]]);
  return planPrefixElements(Object.fromEntries(named));
}

/**
 * Of a node port, say: its answer has to pass here again. kube-proxy would take the address of the link that it leaves
 * by, which may be one that the edge has no tunnel for.
 */
function planComingBack(family: Family, nodeAddresses: readonly Ip[]): readonly (readonly Expression[])[] {
  const own = nodeAddresses.find((address) => ipFamily(address) === family);
  if (own === undefined) return [];
  const toOwn: readonly Expression[] = [
    { name: "load", register: 1, value: ipBytes(own) },
    { name: "snat", family, address: 1 },
  ];
  return [[...matchMark(MASQUERADE_MARK), ...matchTo(family, "remote-pods"), ...toOwn]];
}
