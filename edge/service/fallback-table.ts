import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import { type Family, formatPrefix, type Ip, ipFamily } from "../../src/base/ip.ts";
import { findLink } from "../../src/linux/links.ts";
import type { NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { addRoute, deleteRoute, listRoutes } from "../../src/linux/routes.ts";
import { addRule, deleteRule, listRules } from "../../src/linux/rules.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { Route } from "../../src/wire/rtnetlink-route.ts";
import { isForAll } from "../../src/wire/rtnetlink-rule.ts";
import {
  compareFallbackRoutes,
  FALLBACK_ROUTES_LIMIT,
  FALLBACK_RULE,
  FallbackPrefixes,
  fallbackTable,
  isFallbackRoute,
  planFallbackRoutes,
} from "./fallback-routes.ts";
import type { Frontend } from "./frontend.ts";

export interface ServiceLinkFacts {
  readonly name: string;
  readonly addresses: readonly Ip[];
}

/** The routes to service addresses for when there is no other (fallback-routes.ts), in the kernel. */
export class FallbackTable {
  readonly #route: NetlinkSocket;
  readonly #link: () => ServiceLinkFacts;
  readonly #prefixes = new FallbackPrefixes();
  #current = false;
  readonly #families: readonly Family[];

  /** @param route a NETLINK_ROUTE socket */
  constructor(route: NetlinkSocket, families: readonly Family[], link: () => ServiceLinkFacts) {
    this.#route = route;
    this.#families = families;
    this.#link = link;
  }

  /** Says what is wanted from now on, and writes nothing. */
  want(changes: ReadonlyMap<ObjectKey, readonly Frontend[]>): void {
    if (this.#prefixes.update(changes)) this.#current = false;
  }

  /** Writes what `want` has changed. @throws SelvedgeError with an errno's name */
  sync(): void {
    if (!this.#current) this.resync();
  }

  /** @throws SelvedgeError with an errno's name; SERVICE_ROUTES_MISSING when only the widest prefixes have a route */
  resync(): void {
    const { name, addresses } = this.#link();
    const link = findLink(this.#route, name);
    // Without the link there is nothing to route to: its making is somebody else's, and brings us here again.
    const prefixes = this.#prefixes.list();
    const routes = link === undefined ? [] : planFallbackRoutes(prefixes, link.index, addresses);
    for (const family of this.#families) {
      const wanted = routes.filter((route) => ipFamily(route.destination.address) === family);
      const { adds, deletes } = compareFallbackRoutes(wanted, fallbackRoutes(this.#route, family));
      for (const route of deletes) unlessGone(() => deleteRoute(this.#route, route));
      for (const route of adds) addRoute(this.#route, route);
      if (family === FALLBACK_RULE.family && wanted.length > 0 && !hasRule(this.#route)) {
        addRule(this.#route, FALLBACK_RULE);
      }
    }
    this.#current = prefixes.length <= FALLBACK_ROUTES_LIMIT;
    if (this.#current) return;
    throw new SelvedgeError(`there are ${prefixes.length} prefixes, of which ${FALLBACK_ROUTES_LIMIT} have a route`, {
      code: "SERVICE_ROUTES_MISSING",
      blame: "user",
      retry: "later",
    });
  }
}

/** For `selvedge cleanup`. @returns what was removed, or with `dryRun` would be, for a person */
export function removeFallbackTable(route: NetlinkSocket, dryRun: boolean): readonly string[] {
  const removed: string[] = [];
  if (hasRule(route)) {
    removed.push(`IPv${FALLBACK_RULE.family} rule ${FALLBACK_RULE.priority} to table ${FALLBACK_RULE.table}`);
    if (!dryRun) unlessGone(() => deleteRule(route, FALLBACK_RULE));
  }
  for (const family of [4, 6] as const) {
    for (const entry of fallbackRoutes(route, family)) {
      removed.push(`route ${formatPrefix(entry.destination)} in table ${entry.table}`);
      if (!dryRun) unlessGone(() => deleteRoute(route, entry));
    }
  }
  return removed;
}

function hasRule(route: NetlinkSocket): boolean {
  const { family, priority, table } = FALLBACK_RULE;
  return listRules(route, family).some((rule) => isForAll(rule) && rule.priority === priority && rule.table === table);
}

function fallbackRoutes(route: NetlinkSocket, family: Family): readonly Route[] {
  return listRoutes(route, { family, table: fallbackTable(family) }).filter(isFallbackRoute);
}

function unlessGone(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (errorCode(error) !== "ENOENT" && errorCode(error) !== "ESRCH") throw error;
  }
}
