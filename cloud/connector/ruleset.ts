import { type Family, type Ip, ipBytes, ipFamily, type Prefix } from "../../src/base/ip.ts";
import type { TableElements, TableSpec } from "../../src/linux/nftables-table.ts";
import { NAT_T_PORT } from "../../src/network/tunnel-connection.ts";
import { IKE_PORT } from "../../src/network/tunnel-endpoint.ts";
import type { Expression } from "../../src/wire/nftables-expression.ts";
import { prefixElements } from "../../src/wire/nftables-range.ts";
import {
  accept,
  clampSegments,
  counter,
  drop,
  goTo,
  jump,
  keepSource,
  masquerade,
  matchAddress,
  matchEncrypted,
  matchFamily,
  matchLink,
  matchMark,
  matchPort,
  matchProtocol,
  returnToCaller,
} from "../../src/wire/nftables-statement.ts";

export const FABRIC_TABLE = "selvedge-fabric";
/** What would have left in clear is counted in it, and dropped. */
export const CLEAR_CHAIN = "clear";
/** charon's, where it does ESP itself: whatever goes in there is encrypted or dropped. */
export const ESP_LINK = "ipsec0";

const PROTOCOL_ESP = 50;
/** NF_IP_PRI_FILTER. */
const PRIORITY_FILTER = 0;
/** Before NF_IP_PRI_NAT_SRC, where kube-proxy and the pod network masquerade: who is first decides. */
const PRIORITY_BEFORE_SRCNAT = 90;
/** KUBE-MARK-MASQ: kube-proxy, in every mode, so marks what has to come back to this node. */
const MASQUERADE_MARK = 0x4000;
const FAMILIES = [4, 6] as const;

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
type SetName = (typeof SET_NAMES)[keyof FabricSets];

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
    sets: FAMILIES.flatMap((family) => {
      const key = [family === 4 ? ("ipv4_addr" as const) : ("ipv6_addr" as const)];
      return Object.values(SET_NAMES).map((name) => ({ name: setName(name, family), key, interval: true }));
    }),
    chains: [
      {
        name: CLEAR_CHAIN,
        rules: [
          [...matchEncrypted(), returnToCaller],
          [counter, drop],
        ],
      },
      {
        name: "guard",
        rules: [
          [...matchLink("oifname", "lo"), returnToCaller],
          [...matchLink("oifname", ESP_LINK), returnToCaller],
          ...FAMILIES.flatMap((family) => [
            [...matchTo(family, "local-pods"), returnToCaller],
            [...matchTo(family, "tunnelled-pods"), goTo(CLEAR_CHAIN)],
            [...matchBetween(family, "local-pods", "tunnelled-nodes"), goTo(CLEAR_CHAIN)],
          ]),
        ],
      },
      {
        name: "forward",
        hook: { type: "filter", hook: "forward", priority: PRIORITY_FILTER },
        rules: [
          [jump("guard")],
          ...FAMILIES.flatMap((family) =>
            (["remote-pods", "remote-nodes"] as const).flatMap((set) => [
              [...matchFrom(family, set), ...clampSegments()],
              [...matchTo(family, set), ...clampSegments()],
            ]),
          ),
        ],
      },
      {
        name: "output",
        hook: { type: "filter", hook: "output", priority: PRIORITY_FILTER },
        rules: [
          // Tunnels themselves, to ends inside a prefix that is behind them.
          [...matchProtocol(PROTOCOL_ESP), accept],
          ...[IKE_PORT, NAT_T_PORT].map((port) => [...matchPort("udp", "sport", port), accept]),
          [jump("guard")],
        ],
      },
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
  return new Map(
    FAMILIES.flatMap((family) =>
      (Object.keys(SET_NAMES) as (keyof FabricSets)[]).map((key) => {
        const prefixes = sets[key].filter(({ address }) => ipFamily(address) === family);
        return [setName(SET_NAMES[key], family), prefixElements(prefixes, family)] as const;
      }),
    ),
  );
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

function matchBetween(family: Family, source: SetName, destination: SetName): readonly Expression[] {
  return [...matchFrom(family, source), ...matchAddress(family, "daddr", setName(destination, family))];
}

function matchFrom(family: Family, set: SetName): readonly Expression[] {
  return [...matchFamily(family), ...matchAddress(family, "saddr", setName(set, family))];
}

function matchTo(family: Family, set: SetName): readonly Expression[] {
  return [...matchFamily(family), ...matchAddress(family, "daddr", setName(set, family))];
}

function setName(name: SetName, family: Family): string {
  return family === 4 ? name : `${name}-6`;
}
