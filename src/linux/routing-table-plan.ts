import { type Family, formatPrefix, type Ip, ipFamily, type Prefix } from "../base/ip.ts";
import type { Route } from "../wire/rtnetlink-route.ts";

/** Marks the routes and rules of the fabric: 'S', free in linux/rtnetlink.h and in iproute2's etc/iproute2/rt_protos. */
export const FABRIC_PROTOCOL = 83;

/** FabEdge's and charon's: the way to peers' pods. */
export const POD_ROUTES_TABLE = 220;
/** The way to peers' own addresses, for pods of this node only. */
export const NODE_ROUTES_TABLE = 221;

/**
 * Of what catches packets when nothing better does: worse than every other route. It is the one that the kernel's
 * documents give to an unreachable default route (Documentation/networking/vrf.rst).
 */
export const LAST_RESORT_METRIC = 4_278_198_272;

/** What packets to a prefix should meet; the table and who made it are the same for all of a plan. */
export type WantedRoute = UnicastRoute | UnreachableRoute | ThrowRoute;

export interface UnicastRoute {
  readonly kind: "unicast";
  readonly destination: Prefix;
  readonly linkIndex: number;
  /** Undefined: whoever has the address is on the link itself. */
  readonly gateway?: Ip | undefined;
  readonly onlink?: boolean | undefined;
  /** The address that packets of this node itself get. */
  readonly source?: Ip | undefined;
  readonly mtu?: number | undefined;
  /** The smaller one wins. Undefined: what the kernel makes of none, 0 for IPv4 and 1024 for IPv6. */
  readonly metric?: number | undefined;
}

/** Refused with ICMP "host unreachable", so that what should be in a tunnel does not leave by the default route. */
export interface UnreachableRoute {
  readonly kind: "unreachable";
  readonly destination: Prefix;
  readonly metric?: number | undefined;
}

/** The next rule's table has the answer, although this one has a route to a wider prefix. */
export interface ThrowRoute {
  readonly kind: "throw";
  readonly destination: Prefix;
  readonly metric?: number | undefined;
}

/** Nothing in any list: the table is as it should be. */
export interface RoutingTablePlan {
  /** There is none of ours or anybody's with that destination and metric. */
  readonly add: readonly Route[];
  /** One of ours with that destination and metric is there and differs: replaced in one go. */
  readonly replace: readonly Route[];
  /** Ours, and not wanted: deleted after the rest, so that what moves to another metric is never without a route. */
  readonly remove: readonly Route[];
  /** Another program's route with that destination and metric is there: it is left alone, and ours is not written. */
  readonly blocked: readonly Route[];
}

const IPV6_METRIC = 1024;
const SCOPE_GLOBAL = 0;
const SCOPE_LINK = 253;

/**
 * Compares what one table should have with what it has. The kernel tells routes of one table apart by their destination
 * and metric: so do we, and of two wanted ones with the same the first counts.
 *
 * @param observed every route of the table, both families
 */
export function planRoutingTable(
  table: number,
  wanted: Iterable<WantedRoute>,
  observed: readonly Route[],
): RoutingTablePlan {
  const foreign = new Set<string>();
  const own = new Map<string, Route>();
  const doubled: Route[] = [];
  for (const route of observed) {
    const key = routeKey(route);
    if (route.protocol !== FABRIC_PROTOCOL) foreign.add(key);
    else if (own.has(key)) doubled.push(route);
    else own.set(key, route);
  }
  const plan = { add: [] as Route[], replace: [] as Route[], blocked: [] as Route[] };
  const planned = new Set<string>();
  for (const entry of wanted) {
    const route = routeOf(table, entry);
    const key = routeKey(route);
    if (planned.has(key)) continue;
    planned.add(key);
    const present = own.get(key);
    own.delete(key);
    // With NLM_F_APPEND both can be there: a replacement could hit theirs.
    if (foreign.has(key)) {
      if (present !== undefined && !isSame(route, present)) doubled.push(present);
      if (present === undefined || !isSame(route, present)) plan.blocked.push(route);
    } else if (present === undefined) plan.add.push(route);
    else if (!isSame(route, present)) plan.replace.push(route);
  }
  return { ...plan, remove: [...own.values(), ...doubled] };
}

export function isEmptyPlan(plan: RoutingTablePlan): boolean {
  return plan.add.length + plan.replace.length + plan.remove.length === 0;
}

/** As the kernel tells it when it is asked for the route, so that what was written compares equal. */
export function routeOf(table: number, wanted: WantedRoute): Route {
  const family = ipFamily(wanted.destination.address);
  const common = {
    destination: wanted.destination,
    table,
    protocol: FABRIC_PROTOCOL,
    metric: metricOf(wanted, family),
  };
  if (wanted.kind !== "unicast") {
    const nowhere = { linkIndex: undefined, gateway: undefined, source: undefined };
    return { ...common, ...nowhere, type: wanted.kind, scope: SCOPE_GLOBAL };
  }
  return {
    ...common,
    type: "unicast",
    // The kernel wants a smaller scope for the gateway than for what is behind it; IPv6 has no scopes.
    scope: family === 4 && wanted.gateway === undefined ? SCOPE_LINK : SCOPE_GLOBAL,
    linkIndex: wanted.linkIndex,
    gateway: wanted.gateway,
    source: wanted.source,
    ...(wanted.onlink === true && { onlink: true }),
    ...(wanted.mtu !== undefined && { mtu: wanted.mtu }),
  };
}

/** What tells a route of one table from every other. */
export function routeKey({ destination, metric }: Pick<Route, "destination" | "metric">): string {
  return `${formatPrefix(destination)} ${metric}`;
}

function metricOf({ metric }: WantedRoute, family: Family): number {
  return metric === undefined || metric === 0 ? (family === 6 ? IPV6_METRIC : 0) : metric;
}

function isSame(wanted: Route, present: Route): boolean {
  if (wanted.type !== present.type || present.multipath === true) return false;
  // IPv6 hangs a route that leads nowhere on lo.
  if (wanted.type !== "unicast") return true;
  return (
    wanted.linkIndex === present.linkIndex &&
    wanted.gateway === present.gateway &&
    wanted.source === present.source &&
    wanted.mtu === present.mtu &&
    (wanted.onlink === true) === (present.onlink === true)
  );
}
