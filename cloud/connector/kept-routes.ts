import { formatPrefix } from "../../src/base/ip.ts";
import { sameValue } from "../../src/kube/object-store.ts";
import type { RoutingTable, RoutingTableState } from "../../src/linux/routing-table.ts";
import type { WantedRoute } from "../../src/linux/routing-table-plan.ts";

const NOTHING_DONE: RoutingTableState = { writes: 0, blocked: [], failures: [] };

/**
 * A table of routes and what was written into it: a tunnel that comes up is a route or two more, and not a reason to read
 * thousands.
 */
export class KeptRoutes {
  readonly #table: RoutingTable;
  /** What the table has, unless somebody else has changed it; undefined: it has to be looked at. */
  #written: ReadonlyMap<string, WantedRoute> | undefined;

  constructor(table: RoutingTable) {
    this.#table = table;
  }

  /**
   * @param full look at the whole table: others may have changed it
   * @throws SelvedgeError with an errno's name when the table cannot be read
   */
  apply(wanted: readonly WantedRoute[], full: boolean): RoutingTableState {
    const routes = byDestination(wanted);
    const change = full || this.#written === undefined ? undefined : planChange(this.#written, routes);
    this.#written = undefined;
    if (change !== undefined && this.#table.change(change.add, change.replace)) {
      this.#written = routes;
      return { ...NOTHING_DONE, writes: change.add.length + change.replace.length };
    }
    const state = this.#table.apply(wanted);
    // Only of a table that has all of it is it known what is there.
    if (state.blocked.length + state.failures.length === 0) this.#written = routes;
    return state;
  }
}

/** The kernel tells routes of a table apart by destination and metric, and of two with the same the first is written. */
function byDestination(routes: readonly WantedRoute[]): ReadonlyMap<string, WantedRoute> {
  const map = new Map<string, WantedRoute>();
  for (const route of routes) {
    const key = `${formatPrefix(route.destination)} ${route.metric ?? 0}`;
    if (!map.has(key)) map.set(key, route);
  }
  return map;
}

/** @returns undefined: some are to go, for which the table is looked at */
function planChange(before: ReadonlyMap<string, WantedRoute>, wanted: ReadonlyMap<string, WantedRoute>) {
  const [add, replace]: [WantedRoute[], WantedRoute[]] = [[], []];
  for (const [key, route] of wanted) {
    const known = before.get(key);
    if (known === undefined) add.push(route);
    else if (!sameValue(known, route)) replace.push(route);
  }
  return before.size + add.length === wanted.size ? { add, replace } : undefined;
}
