import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Ip } from "../../../../src/base/ip.ts";
import {
  FABRIC_PROTOCOL,
  isEmptyPlan,
  LAST_RESORT_METRIC,
  planRoutingTable,
  routeKey,
  routeOf,
  type WantedRoute,
} from "../../../../src/linux/routing-table-plan.ts";
import type { Route } from "../../../../src/wire/rtnetlink-route.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

const PLACES = ["10.1.0.0/24", "10.1.1.0/24", "fd00:1::/64", "fd00:2::/64"].map(prefix);
const METRICS = [undefined, 0, 7, 1024, LAST_RESORT_METRIC];

const wantedRoute: fc.Arbitrary<WantedRoute> = fc.constantFrom(...PLACES).chain((destination) => {
  const is6 = destination.address.includes(":");
  const option = (...values: readonly string[]): fc.Arbitrary<Ip | undefined> =>
    fc.constantFrom(undefined, ...values.map(ip));
  return fc.oneof(
    fc.record({
      kind: fc.constant("unreachable" as const),
      destination: fc.constant(destination),
      metric: fc.constantFrom(...METRICS),
    }),
    fc.record({
      kind: fc.constant("unicast" as const),
      destination: fc.constant(destination),
      linkIndex: fc.constantFrom(2, 3),
      gateway: is6 ? option("fd00::1", "fd00::2") : option("10.0.0.1", "10.0.0.2"),
      source: is6 ? option("fd00::9") : option("10.0.0.9"),
      onlink: fc.boolean(),
      mtu: fc.constantFrom(undefined, 1300, 1400),
      metric: fc.constantFrom(...METRICS),
    }),
  );
});
const foreignRoute = wantedRoute.map((route): Route => ({ ...routeOf(220, route), protocol: 12 }));
const ownRoute = wantedRoute.map((route): Route => routeOf(220, route));

/** The kernel: one route for a destination and a metric, unless it is told otherwise. */
function apply(observed: readonly Route[], plan: ReturnType<typeof planRoutingTable>): readonly Route[] {
  const table = new Map(observed.map((route) => [routeKey(route), route]));
  for (const route of plan.add) {
    if (table.has(routeKey(route))) throw new Error(`EEXIST ${routeKey(route)}`);
    table.set(routeKey(route), route);
  }
  for (const route of plan.replace) table.set(routeKey(route), route);
  for (const route of plan.remove) {
    if (table.get(routeKey(route)) !== route) throw new Error(`ESRCH ${routeKey(route)}`);
    table.delete(routeKey(route));
  }
  return [...table.values()];
}

describe("a plan for a table of routes", () => {
  const world = fc.record({
    wanted: fc.array(wantedRoute, { maxLength: 8 }),
    observed: fc.uniqueArray(fc.oneof(ownRoute, foreignRoute), { maxLength: 8, selector: routeKey }),
  });

  test("leads to what is wanted, leaves others' routes alone, and then to nothing more", () => {
    fc.assert(
      fc.property(world, ({ wanted, observed }) => {
        const plan = planRoutingTable(220, wanted, observed);
        const after = apply(observed, plan);
        const isForeign = (route: Route) => route.protocol !== FABRIC_PROTOCOL;
        expect(after.filter(isForeign)).toEqual(observed.filter(isForeign));
        const first = new Map<string, Route>();
        for (const entry of wanted) {
          const route = routeOf(220, entry);
          if (!first.has(routeKey(route))) first.set(routeKey(route), route);
        }
        const blocked = new Set(plan.blocked.map(routeKey));
        for (const [key, route] of first) {
          const present = after.find((other) => routeKey(other) === key);
          if (blocked.has(key)) expect(present && isForeign(present)).toBeTrue();
          else expect(present).toEqual(route.type === "unicast" ? route : (present as Route));
        }
        expect(after.filter((route) => !isForeign(route))).toHaveLength(first.size - blocked.size);
        expect(isEmptyPlan(planRoutingTable(220, wanted, after))).toBeTrue();
      }),
    );
  });

  test("deletes nothing that is wanted with the same destination and metric: there is never no route", () => {
    fc.assert(
      fc.property(world, ({ wanted, observed }) => {
        const keys = new Set(wanted.map((entry) => routeKey(routeOf(220, entry))));
        expect(planRoutingTable(220, wanted, observed).remove.some((route) => keys.has(routeKey(route)))).toBeFalse();
      }),
    );
  });

  test("takes a route to nowhere that the kernel has hung on lo for what was asked", () => {
    const wanted: WantedRoute = { kind: "unreachable", destination: prefix("fd00:1::/64") };
    const told = { ...routeOf(220, wanted), linkIndex: 1 };
    expect(isEmptyPlan(planRoutingTable(220, [wanted], [told]))).toBeTrue();
  });

  test("removes what another program has put on top of a route of its own", () => {
    const wanted: WantedRoute = { kind: "unicast", destination: prefix("fd00:1::/64"), linkIndex: 2 };
    const [own, foreign] = [
      { ...routeOf(220, wanted), linkIndex: 3 },
      { ...routeOf(220, wanted), protocol: 12 },
    ];
    expect(planRoutingTable(220, [wanted], [own, foreign])).toEqual({
      ...{ add: [], replace: [], remove: [own], blocked: [routeOf(220, wanted)] },
    });
  });
});
