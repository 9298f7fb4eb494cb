import { type Family, formatPrefix, type Ip, ipFamily, makePrefix, type Prefix } from "../../src/base/ip.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import { ROUTE_PROTOCOL, type Route } from "../../src/wire/rtnetlink-route.ts";
import type { PolicyRule } from "../../src/wire/rtnetlink-rule.ts";
import type { Frontend } from "./frontend.ts";
import { fallbackPrefix } from "./ruleset-elements.ts";

/**
 * Without a default route a program's connect() to a service fails in the look-up of the route, before any hook could
 * translate it. So the service addresses have routes of their own, in a table that is consulted when nothing else
 * matches. For IPv4 that is RT_TABLE_DEFAULT (linux/rtnetlink.h): the kernel goes there after the main table without a
 * rule of anybody's, and with the first rule that somebody adds it would leave its short cut (fib_lookup in
 * net/ip_fib.h) for every packet that it routes, for good: a microsecond a connection. For IPv6 it has no such table.
 */
const FALLBACK_TABLES: Readonly<Record<Family, number>> = { 4: 253, 6: 1094 };
/** After main (32766). */
export const FALLBACK_RULE: PolicyRule = { family: 6, priority: 32_800, table: FALLBACK_TABLES[6] };

export function fallbackTable(family: Family): number {
  return FALLBACK_TABLES[family];
}

/** Of all routes of the table: that of IPv4 is everybody's. */
export function isFallbackRoute(route: Route): boolean {
  return route.protocol === ROUTE_PROTOCOL;
}

/** Cluster addresses share a few prefixes; the rest are external addresses, one route each, and few. */
export const FALLBACK_ROUTES_LIMIT = 1024;

/** The prefixes that the services' addresses need, counted so that a change looks at nothing else. */
export class FallbackPrefixes {
  readonly #services = new Map<ObjectKey, readonly Frontend[]>();
  readonly #counts = new Map<string, { readonly prefix: Prefix; count: number }>();

  /** @returns whether `list` has changed */
  update(changes: ReadonlyMap<ObjectKey, readonly Frontend[]>): boolean {
    let changed = false;
    for (const [key, frontends] of changes) {
      for (const { kind, address } of frontends) {
        if (address !== undefined) changed = this.#add(prefixOf(kind, address)) || changed;
      }
      for (const { kind, address } of this.#services.get(key) ?? []) {
        if (address !== undefined) changed = this.#remove(prefixOf(kind, address)) || changed;
      }
      if (frontends.length === 0) this.#services.delete(key);
      else this.#services.set(key, frontends);
    }
    return changed;
  }

  list(): readonly Prefix[] {
    return Array.from(this.#counts.values(), ({ prefix }) => prefix);
  }

  #add(prefix: Prefix): boolean {
    const text = formatPrefix(prefix);
    const entry = this.#counts.get(text);
    if (entry === undefined) this.#counts.set(text, { prefix, count: 1 });
    else entry.count += 1;
    return entry === undefined;
  }

  #remove(prefix: Prefix): boolean {
    const text = formatPrefix(prefix);
    const entry = this.#counts.get(text);
    if (entry === undefined) return false;
    entry.count -= 1;
    if (entry.count === 0) this.#counts.delete(text);
    return entry.count === 0;
  }
}

function prefixOf(kind: Frontend["kind"], address: Ip): Prefix {
  return kind === "cluster-ip" ? fallbackPrefix(address) : makePrefix(address, ipFamily(address) === 4 ? 32 : 128);
}

/** @param sources the service link's own addresses: a packet that nothing translates must not carry a service's */
export function planFallbackRoutes(
  prefixes: readonly Prefix[],
  linkIndex: number,
  sources: readonly Ip[],
): readonly Route[] {
  const sorted = [...prefixes].sort((a, b) => a.length - b.length || (a.address < b.address ? -1 : 1));
  return sorted.slice(0, FALLBACK_ROUTES_LIMIT).map((destination) => {
    const family = ipFamily(destination.address);
    return {
      destination,
      type: "unicast",
      table: fallbackTable(family),
      protocol: ROUTE_PROTOCOL,
      scope: family === 4 ? SCOPE_LINK : SCOPE_GLOBAL,
      metric: family === 4 ? 0 : IPV6_METRIC,
      linkIndex,
      gateway: undefined,
      source: sources.find((ip) => ipFamily(ip) === family),
    };
  });
}

const SCOPE_GLOBAL = 0;
const SCOPE_LINK = 253;
/** What the kernel makes of 0. */
const IPV6_METRIC = 1024;

export interface FallbackChange {
  readonly adds: readonly Route[];
  readonly deletes: readonly Route[];
}

export function compareFallbackRoutes(wanted: readonly Route[], actual: readonly Route[]): FallbackChange {
  const left = new Map(actual.map((route) => [routeId(route), route]));
  const adds = wanted.filter((route) => !left.delete(routeId(route)));
  return { adds, deletes: [...left.values()] };
}

function routeId(route: Route): string {
  return `${formatPrefix(route.destination)} ${route.linkIndex} ${route.source ?? ""}`;
}
