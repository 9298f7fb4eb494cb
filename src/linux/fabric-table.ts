import { type Family, ipFamily, type Prefix } from "../base/ip.ts";
import { NAT_T_PORT } from "../network/tunnel-connection.ts";
import { IKE_PORT } from "../network/tunnel-endpoint.ts";
import type { Expression } from "../wire/nftables-expression.ts";
import { prefixElements } from "../wire/nftables-range.ts";
import {
  accept,
  clampSegments,
  counter,
  drop,
  goTo,
  jump,
  matchAddress,
  matchEncrypted,
  matchFamily,
  matchLink,
  matchPort,
  matchProtocol,
  returnToCaller,
} from "../wire/nftables-statement.ts";
import type { ChainSpec, TableElements, TableSpec } from "./nftables-table.ts";

/** Of edge nodes, connectors and node-agents: a node is one of them. */
export const FABRIC_TABLE = "selvedge-fabric";
/** What would have left in clear is counted in it, and dropped. */
export const CLEAR_CHAIN = "clear";
/** charon's, where it does ESP itself: whatever goes in there is encrypted or dropped. */
export const ESP_LINK = "ipsec0";

export const FAMILIES = [4, 6] as const;

const PROTOCOL_ESP = 50;
/** NF_IP_PRI_MANGLE: before anybody changes the source. */
const PRIORITY_MANGLE = -150;
/** NF_IP_PRI_FILTER. */
const PRIORITY_FILTER = 0;

/** Names of sets of prefixes: on this side, and what only tunnels may carry. */
export interface GuardedSets {
  readonly own: string;
  readonly pods: string;
  /** For whoever is in `own` alone. */
  readonly nodes: string;
  /** What nobody may carry, where it is known, and what in it the node's pod network carries. */
  readonly strangers?: { readonly all: string; readonly native: string };
}

/**
 * What is behind a tunnel leaves this node encrypted or not at all.
 *
 * Routes see to that already; this holds where they cannot: while an SA is gone and its route not yet, when another
 * program takes a route away, for sources that no SA is for.
 *
 * @param kernelTellsIpsec whether it knows that IPsec takes a packet; one that does not has no IPsec either
 */
export function planGuard({ own, pods, nodes, strangers }: GuardedSets, kernelTellsIpsec = true): readonly ChainSpec[] {
  return [
    {
      name: CLEAR_CHAIN,
      rules: [...(kernelTellsIpsec ? [[...matchEncrypted(), returnToCaller]] : []), [counter, drop]],
    },
    {
      name: "guard",
      rules: [
        [...matchLink("oifname", "lo"), returnToCaller],
        [...matchLink("oifname", ESP_LINK), returnToCaller],
        ...FAMILIES.flatMap((family) => [
          [...matchTo(family, own), returnToCaller],
          [...matchTo(family, pods), goTo(CLEAR_CHAIN)],
          [...matchBetween(family, own, nodes), goTo(CLEAR_CHAIN)],
          ...(strangers === undefined
            ? []
            : [
                [...matchTo(family, strangers.native), returnToCaller],
                [...matchTo(family, strangers.all), goTo(CLEAR_CHAIN)],
              ]),
        ]),
      ],
    },
    {
      // Here, and not in output: there a packet that was translated from a service's address still shows its old link.
      name: "leaving",
      hook: { type: "filter", hook: "postrouting", priority: PRIORITY_MANGLE },
      rules: [
        ...FAMILIES.map((family) => [...matchFrom(family, own), jump("guard")]),
        // Tunnels themselves, to ends inside a prefix that is behind them.
        [...matchProtocol(PROTOCOL_ESP), accept],
        ...[IKE_PORT, NAT_T_PORT].map((port) => [...matchPort("udp", "sport", port), accept]),
        [jump("guard")],
      ],
    },
  ];
}

/** Segments of connections with an end in these sets fit into the routes that they take. */
export function planClamp(sets: readonly string[]): ChainSpec {
  return {
    name: "forward",
    hook: { type: "filter", hook: "forward", priority: PRIORITY_FILTER },
    rules: FAMILIES.flatMap((family) =>
      sets.flatMap((set) => [
        [...matchFrom(family, set), ...clampSegments()],
        [...matchTo(family, set), ...clampSegments()],
      ]),
    ),
  };
}

/** A set of IPv4 prefixes and one of IPv6 prefixes for each name. */
export function planPrefixSets(names: readonly string[]): TableSpec["sets"] {
  return FAMILIES.flatMap((family) => {
    const key = [family === 4 ? ("ipv4_addr" as const) : ("ipv6_addr" as const)];
    return names.map((name) => ({ name: setName(name, family), key, interval: true }));
  });
}

export function planPrefixElements(sets: Readonly<Record<string, readonly Prefix[]>>): TableElements {
  return new Map(
    FAMILIES.flatMap((family) =>
      Object.entries(sets).map(([name, prefixes]) => {
        const own = prefixes.filter(({ address }) => ipFamily(address) === family);
        return [setName(name, family), prefixElements(own, family)] as const;
      }),
    ),
  );
}

export function matchFrom(family: Family, set: string): readonly Expression[] {
  return [...matchFamily(family), ...matchAddress(family, "saddr", setName(set, family))];
}

export function matchTo(family: Family, set: string): readonly Expression[] {
  return [...matchFamily(family), ...matchAddress(family, "daddr", setName(set, family))];
}

export function matchBetween(family: Family, source: string, destination: string): readonly Expression[] {
  return [...matchFrom(family, source), ...matchAddress(family, "daddr", setName(destination, family))];
}

function setName(name: string, family: Family): string {
  return family === 4 ? name : `${name}-6`;
}
