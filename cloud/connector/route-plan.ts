import { type Family, formatPrefix, type Ip, ipFamily, type Prefix } from "../../src/base/ip.ts";
import type { WantedRule } from "../../src/linux/routing-rules-plan.ts";
import {
  LAST_RESORT_METRIC,
  NODE_ROUTES_TABLE,
  POD_ROUTES_TABLE,
  type WantedRoute,
} from "../../src/linux/routing-table-plan.ts";
import { coverPrefixes } from "../../src/network/prefix-cover.ts";
import { PrefixSet } from "../../src/network/prefix-set.ts";
import { nodePrefixes } from "../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { SMALLEST_LINK_MTU } from "../../src/network/tunnel-mtu.ts";
import type { Reach, ReachPlan, Way } from "./reach-plan.ts";

/** What a way comes to on this node. */
export interface Hop {
  readonly linkIndex: number;
  readonly gateway: Ip | undefined;
  readonly onlink?: boolean;
  /** Of what fits into a tunnel. */
  readonly mtu?: number;
}

export interface RoutingPlan {
  readonly podRoutes: readonly WantedRoute[];
  readonly nodeRoutes: readonly WantedRoute[];
  readonly rules: readonly WantedRule[];
}

/** The kernel asks one rule after the other for each packet; so many take less than a microsecond. */
export const SOURCE_RULES_LIMIT = 32;

/**
 * Routes to what is behind peers. Under each lies one that leads nowhere, from the moment the peer is known: a tunnel
 * that is down sends nothing by the default route.
 *
 * @param own the connectors' endpoint
 * @param nodeAddresses this node's own, as edges know it: packets of its programs come from there
 * @param ends of tunnels, which lie outside of them
 * @param hop where a way leads now; undefined: nowhere
 */
export function planConnectorRoutes(
  { pods, nodes }: ReachPlan,
  own: TunnelEndpoint,
  nodeAddresses: readonly Ip[],
  ends: readonly Ip[],
  hop: (way: Way, family: Family) => Hop | undefined,
): RoutingPlan {
  const sources: Readonly<Record<Family, Ip | undefined>> = {
    4: nodeAddresses.find((address) => ipFamily(address) === 4),
    6: nodeAddresses.find((address) => ipFamily(address) === 6),
  };
  const route = ({ destination, way }: Reach): readonly WantedRoute[] => {
    const family = ipFamily(destination.address);
    const nowhere: WantedRoute = { kind: "unreachable", destination, metric: LAST_RESORT_METRIC };
    const found = hop(way, family);
    if (found === undefined) return [nowhere];
    // Linux takes smaller values for IPv6 and obeys none below this one.
    const mtu = family === 6 && found.mtu !== undefined ? Math.max(found.mtu, SMALLEST_LINK_MTU) : found.mtu;
    const source = way.kind === "tunnel" ? sources[family] : undefined;
    return [nowhere, { kind: "unicast", destination, ...found, mtu, source }];
  };
  return {
    podRoutes: [...pods.flatMap(route), ...planExceptions(pods, own, ends)],
    nodeRoutes: nodes.flatMap(route),
    rules: planRules(own),
  };
}

/** What lies inside a prefix of an edge and is not to be looked for there: the cluster itself, and ends of tunnels. */
function planExceptions(pods: readonly Reach[], own: TunnelEndpoint, ends: readonly Ip[]): readonly WantedRoute[] {
  const behind = new PrefixSet(pods.map(({ destination }) => destination));
  const isInside = (prefix: Prefix) => behind.around(prefix).some((outer) => outer !== formatPrefix(prefix));
  const here = [...own.subnets, ...nodePrefixes(own), ...nodePrefixes({ nodeSubnets: ends })];
  const exceptions = new Map(here.filter(isInside).map((prefix) => [formatPrefix(prefix), prefix]));
  return [...exceptions.values()].map((destination) => ({ kind: "throw", destination }));
}

function planRules(own: TunnelEndpoint): readonly WantedRule[] {
  return ([4, 6] as const).flatMap((family) => [
    { family, priority: POD_ROUTES_TABLE, table: POD_ROUTES_TABLE },
    ...coverPrefixes(
      own.subnets.filter(({ address }) => ipFamily(address) === family),
      SOURCE_RULES_LIMIT,
    ).map((from) => ({ family, priority: NODE_ROUTES_TABLE, table: NODE_ROUTES_TABLE, from })),
  ]);
}
