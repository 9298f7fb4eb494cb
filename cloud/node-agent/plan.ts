import { type Family, formatPrefix, type Ip, ipFamily, makePrefix, type Prefix } from "../../src/base/ip.ts";
import { LAST_RESORT_METRIC, type UnicastRoute, type WantedRoute } from "../../src/linux/routing-table-plan.ts";
import { type ConnectorPublication, planHolders } from "../../src/network/connector-claims.ts";
import { PrefixSet } from "../../src/network/prefix-set.ts";
import type { Route } from "../../src/wire/rtnetlink-route.ts";

/** What is behind an edge, and the connector that it is reached by. */
export interface HeldPrefix {
  readonly destination: Prefix;
  readonly connector: ConnectorPublication;
}

export interface EdgePlan {
  readonly held: readonly HeldPrefix[];
  /** Whether all that is published could be read: else what is missing here may be held. */
  readonly whole: boolean;
  /** What two edges have: the one whose name comes first is reached. */
  readonly doubled: readonly Prefix[];
  /** What would lead the cluster's own traffic to an edge: it is not routed. */
  readonly refused: readonly Prefix[];
}

/** A way from this node to another one, as the pod network has it. */
export type Hop = Pick<UnicastRoute, "linkIndex" | "gateway" | "onlink">;

export type FindHop = (connector: ConnectorPublication, family: Family) => Hop | undefined;

export interface RoutePlan {
  readonly routes: readonly WantedRoute[];
  /** Nodes of connectors to which no way is known. */
  readonly unreached: readonly string[];
  /** Prefixes that nobody holds any more, and that lead nowhere. */
  readonly withdrawn: readonly Prefix[];
}

/** Prefixes that nobody holds any more and that still lead nowhere; as many as one connector may publish edges. */
export const WITHDRAWN_MAX = 10_000;

/**
 * Whom each edge's pods are reached by.
 *
 * @param node this one: what a connector that once ran here has left behind leads nowhere
 * @param ownAddresses of this node
 * @param whole whether all that is published could be read
 */
export function planEdges(
  publications: readonly ConnectorPublication[],
  node: string,
  ownAddresses: readonly Ip[],
  whole = true,
): EdgePlan {
  const others = publications.filter((publication) => publication.node !== node);
  const holders = [...planHolders(others)].sort(([a], [b]) => (a < b ? -1 : 1));
  const byPrefix = new Map<string, HeldPrefix>();
  const doubled = new Map<string, Prefix>();
  for (const [, { connector, edge }] of holders) {
    for (const destination of edge.subnets) {
      const key = formatPrefix(destination);
      if (byPrefix.has(key)) doubled.set(key, destination);
      else byPrefix.set(key, { destination, connector });
    }
  }
  const cluster = [
    ...publications.flatMap(({ address, prefixes }) => [hostPrefix(address), ...prefixes]),
    ...ownAddresses.map(hostPrefix),
  ];
  const refused = overlapping(
    [...byPrefix.values()].map(({ destination }) => destination),
    cluster,
  );
  for (const prefix of refused) byPrefix.delete(formatPrefix(prefix));
  return { held: [...byPrefix.values()], whole, doubled: [...doubled.values()], refused };
}

/**
 * The routes for it. Under each lies one that leads nowhere, also where nobody holds the prefix any more: what is meant
 * for a tunnel does not leave by the default route. A way that was known is kept when it cannot be found any more.
 *
 * @param before the routes of ours that the table has
 * @param covered those for which the main table has a route, as for what has become the cluster's own; not asked for none
 */
export function planNodeRoutes(
  { held, whole }: Pick<EdgePlan, "held" | "whole">,
  findHop: FindHop,
  before: readonly Route[],
  covered: (prefixes: readonly Prefix[]) => readonly Prefix[],
): RoutePlan {
  const ways = new Map(before.filter(isUnicast).map((route) => [formatPrefix(route.destination), route]));
  const withdrawn = new Map(before.map(({ destination }) => [formatPrefix(destination), destination]));
  const unreached = new Set<string>();
  const routes: WantedRoute[] = [];
  const asBefore = ([key, destination]: readonly [string, Prefix]): readonly WantedRoute[] => {
    const hop = hopOf(ways.get(key));
    return hop === undefined
      ? [nowhere(destination)]
      : [nowhere(destination), { kind: "unicast", destination, ...hop }];
  };
  for (const { destination, connector } of held) {
    const key = formatPrefix(destination);
    withdrawn.delete(key);
    routes.push(nowhere(destination));
    const hop = findHop(connector, ipFamily(destination.address)) ?? hopOf(ways.get(key));
    if (hop === undefined) unreached.add(connector.node);
    else routes.push({ kind: "unicast", destination, ...hop });
  }
  const left = [...withdrawn.values()];
  if (!whole)
    return { routes: [...routes, ...[...withdrawn].flatMap(asBefore)], unreached: [...unreached], withdrawn: left };
  const taken = new Set(left.length === 0 ? [] : covered(left));
  const kept = left.filter((prefix) => !taken.has(prefix)).slice(0, WITHDRAWN_MAX);
  return { routes: [...routes, ...kept.map(nowhere)], unreached: [...unreached], withdrawn: kept };
}

/** What has become of a plan that the kernel has, where the ways to the connectors are what they were. */
export interface RouteChange {
  readonly add: readonly WantedRoute[];
  readonly replace: readonly WantedRoute[];
}

/** @returns undefined when the table has to be looked at: something is held by nobody any more, or a way is not known */
export function planRouteChange(before: EdgePlan, now: EdgePlan, findHop: FindHop): RouteChange | undefined {
  if (!before.whole || !now.whole) return undefined;
  const left = new Map(before.held.map((held) => [formatPrefix(held.destination), held.connector]));
  const [add, replace]: [WantedRoute[], WantedRoute[]] = [[], []];
  for (const { destination, connector } of now.held) {
    const key = formatPrefix(destination);
    const held = left.get(key);
    left.delete(key);
    if (held?.node === connector.node) continue;
    const hop = findHop(connector, ipFamily(destination.address));
    if (hop === undefined) return undefined;
    const route: WantedRoute = { kind: "unicast", destination, ...hop };
    if (held === undefined) add.push(nowhere(destination), route);
    else replace.push(route);
  }
  return left.size > 0 ? undefined : { add, replace };
}

/** Those of the prefixes that contain one of the others, or lie in one. */
export function overlapping(prefixes: readonly Prefix[], others: readonly Prefix[]): readonly Prefix[] {
  const [inner, outer] = [new PrefixSet(prefixes), new PrefixSet(others)];
  const around = new Set(others.flatMap((other) => inner.around(other)));
  return prefixes.filter((prefix) => around.has(formatPrefix(prefix)) || outer.around(prefix).length > 0);
}

function nowhere(destination: Prefix): WantedRoute {
  return { kind: "unreachable", destination, metric: LAST_RESORT_METRIC };
}

function isUnicast(route: Route): boolean {
  return route.type === "unicast";
}

function hopOf(route: Route | undefined): Hop | undefined {
  if (route?.linkIndex === undefined || route.multipath === true) return undefined;
  const { linkIndex, gateway, onlink } = route;
  return { linkIndex, gateway, onlink };
}

function hostPrefix(address: Ip): Prefix {
  return makePrefix(address, ipFamily(address) === 4 ? 32 : 128);
}
