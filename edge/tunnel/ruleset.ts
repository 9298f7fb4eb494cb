import type { Prefix } from "../../src/base/ip.ts";
import {
  FABRIC_TABLE,
  FAMILIES,
  matchFrom,
  matchTo,
  planClamp,
  planGuard,
  planPrefixElements,
  planPrefixSets,
} from "../../src/linux/fabric-table.ts";
import type { ChainSpec, TableElements, TableSpec } from "../../src/linux/nftables-table.ts";
import { jump, masquerade, returnToCaller } from "../../src/wire/nftables-statement.ts";
import { type FabricView, remotePrefixes } from "./fabric-view.ts";

/** NF_IP_PRI_NAT_SRC. */
const PRIORITY_SRCNAT = 100;

/** `cluster` are all pods, of which the pod network of this node carries the native ones. */
const SETS = { own: "own-pods", pods: "remote-pods", nodes: "remote-nodes", cluster: "cluster", native: "native" };

export interface FabricRules {
  /** Whether pods that speak to the world outside the fabric do so under this node's address. */
  readonly masquerade: boolean;
  /** Whether the kernel can say that IPsec takes a packet; where it cannot, charon does ESP behind its own link. */
  readonly kernelTellsIpsec: boolean;
}

/**
 * The rules around tunnels: what is behind a peer leaves this node encrypted or not at all, segments fit into tunnels,
 * and only what leaves the fabric gets another source address.
 */
export function planFabricTable(rules: FabricRules): TableSpec {
  return {
    family: "inet",
    name: FABRIC_TABLE,
    comment: "Selvedge: what is behind tunnels leaves encrypted or not at all",
    sets: planPrefixSets(Object.values(SETS)),
    chains: [
      ...planGuard({ ...SETS, strangers: { all: SETS.cluster, native: SETS.native } }, rules.kernelTellsIpsec),
      planClamp([SETS.own]),
      ...(rules.masquerade ? planMasquerade() : []),
    ],
  };
}

export function planFabricElements(fabric: FabricView, native: readonly Prefix[]): TableElements {
  const remote = remotePrefixes(fabric);
  return planPrefixElements({
    [SETS.own]: fabric.own.subnets,
    [SETS.pods]: remote.pods,
    [SETS.nodes]: remote.nodes,
    [SETS.cluster]: fabric.cluster,
    [SETS.native]: native,
  });
}

function planMasquerade(): readonly ChainSpec[] {
  return [
    {
      name: "outgoing",
      rules: [
        ...FAMILIES.flatMap((family) => Object.values(SETS).map((set) => [...matchTo(family, set), returnToCaller])),
        [masquerade],
      ],
    },
    {
      name: "postrouting",
      hook: { type: "nat", hook: "postrouting", priority: PRIORITY_SRCNAT },
      rules: FAMILIES.map((family) => [...matchFrom(family, SETS.own), jump("outgoing")]),
    },
  ];
}
