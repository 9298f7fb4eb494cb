import type { Family } from "../../src/base/ip.ts";
import type { ChainSpec, TableElements, TableSpec } from "../../src/linux/nftables-table.ts";
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
  masquerade,
  matchAddress,
  matchEncrypted,
  matchFamily,
  matchLink,
  matchPort,
  matchProtocol,
  returnToCaller,
} from "../../src/wire/nftables-statement.ts";
import { type FabricView, prefixesOf, remotePrefixes } from "./fabric-view.ts";

export const FABRIC_TABLE = "selvedge-fabric";
/** What would have left in clear is counted in it, and dropped. */
export const CLEAR_CHAIN = "clear";

/** charon's, where it does ESP itself: whatever goes in there is encrypted or dropped. */
export const ESP_LINK = "ipsec0";

const PROTOCOL_ESP = 50;
/** NF_IP_PRI_MANGLE, NF_IP_PRI_FILTER and NF_IP_PRI_NAT_SRC. */
const PRIORITY_MANGLE = -150;
const PRIORITY_FILTER = 0;
const PRIORITY_SRCNAT = 100;

const FAMILIES = [4, 6] as const;

export interface FabricRules {
  /** Whether pods that speak to the world outside the fabric do so under this node's address. */
  readonly masquerade: boolean;
  /** Whether the kernel can say that IPsec takes a packet; where it cannot, charon does ESP behind its own link. */
  readonly kernelTellsIpsec: boolean;
}

/**
 * The rules around tunnels: what is behind a peer leaves this node encrypted or not at all, segments fit into tunnels,
 * and only what leaves the fabric gets another source address.
 *
 * Routes see to the first already; this table holds where they cannot: while an SA is gone and its route not yet, when
 * another program takes a route away, for sources that no SA is for.
 */
export function planFabricTable(rules: FabricRules): TableSpec {
  return {
    family: "inet",
    name: FABRIC_TABLE,
    comment: "Selvedge: what is behind tunnels leaves encrypted or not at all",
    sets: FAMILIES.flatMap((family) => {
      const key = [family === 4 ? ("ipv4_addr" as const) : ("ipv6_addr" as const)];
      return (["own-pods", "remote-pods", "remote-nodes"] as const).map((name) => ({
        name: setName(name, family),
        key,
        interval: true,
      }));
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
            [...to(family, "own-pods"), returnToCaller],
            [...to(family, "remote-pods"), goTo(CLEAR_CHAIN)],
            [
              ...from(family, "own-pods"),
              ...matchAddress(family, "daddr", setName("remote-nodes", family)),
              goTo(CLEAR_CHAIN),
            ],
          ]),
        ],
      },
      {
        name: "forward",
        hook: { type: "filter", hook: "forward", priority: PRIORITY_FILTER },
        rules: FAMILIES.flatMap((family) => [
          [...from(family, "own-pods"), ...clampSegments()],
          [...to(family, "own-pods"), ...clampSegments()],
        ]),
      },
      {
        // Here, and not in output: there a packet that was translated from a service's address still shows its old link.
        name: "leaving",
        hook: { type: "filter", hook: "postrouting", priority: PRIORITY_MANGLE },
        rules: [
          ...FAMILIES.map((family) => [...from(family, "own-pods"), jump("guard")]),
          // Tunnels themselves, to ends inside a prefix that is behind them.
          [...matchProtocol(PROTOCOL_ESP), accept],
          ...[IKE_PORT, NAT_T_PORT].map((port) => [...matchPort("udp", "sport", port), accept]),
          [jump("guard")],
        ],
      },
      ...(rules.masquerade ? planMasquerade() : []),
    ],
  };
}

export function planFabricElements(fabric: FabricView): TableElements {
  const remote = remotePrefixes(fabric);
  const sets = { "own-pods": fabric.own.subnets, "remote-pods": remote.pods, "remote-nodes": remote.nodes };
  return new Map(
    FAMILIES.flatMap((family) =>
      Object.entries(sets).map(([name, prefixes]) => [
        setName(name, family),
        prefixElements(prefixesOf(prefixes, family), family),
      ]),
    ),
  );
}

function planMasquerade(): readonly ChainSpec[] {
  return [
    {
      name: "outgoing",
      rules: [
        ...FAMILIES.flatMap((family) =>
          ["own-pods", "remote-pods", "remote-nodes"].map((set) => [...to(family, set), returnToCaller]),
        ),
        [masquerade],
      ],
    },
    {
      name: "postrouting",
      hook: { type: "nat", hook: "postrouting", priority: PRIORITY_SRCNAT },
      rules: FAMILIES.map((family) => [...from(family, "own-pods"), jump("outgoing")]),
    },
  ];
}

function from(family: Family, set: string): readonly Expression[] {
  return [...matchFamily(family), ...matchAddress(family, "saddr", setName(set, family))];
}

function to(family: Family, set: string): readonly Expression[] {
  return [...matchFamily(family), ...matchAddress(family, "daddr", setName(set, family))];
}

function setName(name: string, family: Family): string {
  return family === 4 ? name : `${name}-6`;
}
