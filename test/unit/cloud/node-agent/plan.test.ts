import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { overlapping, planEdges, planNodeRoutes, planRouteChange } from "../../../../cloud/node-agent/plan.ts";
import { formatPrefix, makePrefix, prefixContains } from "../../../../src/base/ip.ts";
import { LAST_RESORT_METRIC, routeOf } from "../../../../src/linux/routing-table-plan.ts";
import type { ConnectorPublication } from "../../../../src/network/connector-claims.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

interface Claims {
  readonly [edge: string]: readonly [claim: number, ...subnets: string[]];
}

function publication(number: number, claims: Claims): ConnectorPublication {
  return {
    ...{ node: `c${number}`, address: ip(`10.0.0.${number}`), prefixes: [prefix(`10.244.${number}.0/24`)] },
    edges: Object.entries(claims).map(([name, [claim, ...subnets]]) => ({
      ...{ name, claim, subnets: subnets.map(prefix), nodeSubnets: [] },
    })),
  };
}

const held = (plan: ReturnType<typeof planEdges>) =>
  plan.held.map(({ destination, connector }) => `${formatPrefix(destination)} ${connector.node}`);
const HOP = { linkIndex: 7, gateway: ip("10.244.1.0"), onlink: true };
const nowhere = (text: string) => ({
  ...{ kind: "unreachable" as const, destination: prefix(text), metric: LAST_RESORT_METRIC },
});
const nothing = () => [];
const NOBODY = { held: [], whole: true };

describe("who is reached by whom", () => {
  test("is what the highest claim says", () => {
    const publications = [
      publication(1, { e1: [3, "10.9.1.0/24"], e2: [1, "10.9.2.0/24"] }),
      publication(2, { e1: [4, "10.9.1.0/24", "fd00:9:1::/64"] }),
    ];
    expect(held(planEdges(publications, "n1", []))).toEqual(["10.9.1.0/24 c2", "fd00:9:1::/64 c2", "10.9.2.0/24 c1"]);
  });

  test("is not what a connector that was here before has left behind", () => {
    const publications = [publication(1, { e1: [9, "10.9.1.0/24"] }), publication(2, { e1: [4, "10.9.1.0/24"] })];
    expect(held(planEdges(publications, "c1", []))).toEqual(["10.9.1.0/24 c2"]);
  });

  test("is the edge whose name comes first where two have the same prefix, in whatever order they are told", () => {
    const one = publication(1, { e2: [9, "10.9.1.0/24"] });
    const two = publication(2, { e1: [1, "10.9.1.0/24"] });
    for (const publications of [
      [one, two],
      [two, one],
    ]) {
      const plan = planEdges(publications, "n1", []);
      expect(held(plan)).toEqual(["10.9.1.0/24 c2"]);
      expect(plan.doubled.map(formatPrefix)).toEqual(["10.9.1.0/24"]);
    }
  });

  test.each([
    ["everything", "0.0.0.0/0"],
    ["a connector's node", "10.0.0.0/28"],
    ["the pods of a connector's node", "10.244.0.0/16"],
    ["a part of these", "10.244.2.128/25"],
    ["this node", "172.16.0.0/12"],
  ])("is nobody for a prefix that would take the way to %s", (_, text) => {
    const publications = [publication(1, { e1: [1, text], e2: [1, "10.9.2.0/24"] }), publication(2, {})];
    const plan = planEdges(publications, "n1", [ip("172.16.0.9")]);
    expect(held(plan)).toEqual(["10.9.2.0/24 c1"]);
    expect(plan.refused.map(formatPrefix)).toEqual([text]);
  });
});

describe("routes to edges", () => {
  const EDGES = planEdges([publication(1, { e1: [1, "10.9.1.0/24"] })], "n1", []);

  test("lie above one that leads nowhere", () => {
    const { routes, unreached } = planNodeRoutes(EDGES, () => HOP, [], nothing);
    const destination = prefix("10.9.1.0/24");
    expect(routes).toEqual([nowhere("10.9.1.0/24"), { kind: "unicast", destination, ...HOP }]);
    expect(unreached).toEqual([]);
  });

  test("stay as they were when the way to the connector is not found any more", () => {
    const before = planNodeRoutes(EDGES, () => HOP, [], nothing).routes;
    const table = before.map((route) => routeOf(220, route));
    expect(planNodeRoutes(EDGES, () => undefined, table, nothing)).toMatchObject({ routes: before, unreached: [] });
    expect(planNodeRoutes(EDGES, () => undefined, [], nothing)).toMatchObject({
      ...{ routes: [nowhere("10.9.1.0/24")], unreached: ["c1"] },
    });
  });

  test("lead nowhere when nobody holds the edge any more, and stay so", () => {
    const before = planNodeRoutes(EDGES, () => HOP, [], nothing).routes.map((route) => routeOf(220, route));
    const { routes } = planNodeRoutes(NOBODY, () => HOP, before, nothing);
    expect(routes).toEqual([nowhere("10.9.1.0/24")]);
    const after = routes.map((route) => routeOf(220, route));
    expect(planNodeRoutes(NOBODY, () => HOP, after, nothing).routes).toEqual(routes);
  });

  test("stay as they are when not everything that is published could be read", () => {
    const before = planNodeRoutes(EDGES, () => HOP, [], nothing).routes;
    const table = before.map((route) => routeOf(220, route));
    const unsure = { held: [], whole: false };
    expect(planNodeRoutes(unsure, () => HOP, table, nothing).routes).toEqual(before);
    const [only] = table;
    expect(planNodeRoutes(unsure, () => HOP, only === undefined ? [] : [only], nothing).routes).toEqual(
      before.slice(0, 1),
    );
  });

  test("end when the prefix has become the cluster's own", () => {
    const before = [routeOf(220, nowhere("10.9.1.0/24")), routeOf(220, nowhere("10.9.2.0/24"))];
    const covered = () => before.slice(0, 1).map(({ destination }) => destination);
    expect(planNodeRoutes(NOBODY, () => HOP, before, covered).routes).toEqual([nowhere("10.9.2.0/24")]);
  });

  test("do not ask what the main table has unless something is held by nobody", () => {
    const covered = () => {
      throw new Error("asked");
    };
    expect(planNodeRoutes(EDGES, () => HOP, [], covered).routes).toHaveLength(2);
  });
});

describe("what changes between two plans", () => {
  const edges = { e1: [1, "10.9.1.0/24"], e2: [1, "10.9.2.0/24"] } as const;
  const before = planEdges([publication(1, edges), publication(2, {})], "n1", []);
  const to = (n: number) => ({ ...HOP, gateway: ip(`10.244.${n}.0`) });
  const find = ({ node }: ConnectorPublication) => to(Number(node.slice(1)));

  test("is nothing where all is the same", () => {
    const same = planEdges([publication(1, edges), publication(2, {})], "n1", []);
    expect(planRouteChange(before, same, find)).toEqual({ add: [], replace: [] });
  });

  test("is what has gone to another connector, and what is new", () => {
    const young = { e2: [2, "10.9.2.0/24"], e3: [1, "10.9.3.0/24"] } as const;
    const now = planEdges([publication(1, edges), publication(2, young)], "n1", []);
    expect(planRouteChange(before, now, find)).toEqual({
      add: [nowhere("10.9.3.0/24"), { kind: "unicast", destination: prefix("10.9.3.0/24"), ...to(2) }],
      replace: [{ kind: "unicast", destination: prefix("10.9.2.0/24"), ...to(2) }],
    });
  });

  test("is not told by the plans where something is gone, is not known, or leads by a way that is not known", () => {
    const less = planEdges([publication(1, { e1: edges.e1 })], "n1", []);
    const moved = planEdges([publication(1, edges), publication(2, { e2: [2, "10.9.2.0/24"] })], "n1", []);
    expect(planRouteChange(before, less, find)).toBeUndefined();
    expect(planRouteChange(before, { ...before, whole: false }, find)).toBeUndefined();
    expect(planRouteChange(before, moved, () => undefined)).toBeUndefined();
  });
});

test("prefixes overlap exactly when one contains the other's first address", () => {
  const some = fc
    .tuple(fc.constantFrom("10.0.0.0", "10.0.128.0", "10.7.3.9", "fd00::", "fd00:0:1::7"), fc.nat(32))
    .map(([address, length]) => makePrefix(ip(address), length));
  fc.assert(
    fc.property(fc.array(some, { maxLength: 6 }), fc.array(some, { maxLength: 6 }), (prefixes, others) => {
      const meets = (a: (typeof prefixes)[0], b: (typeof prefixes)[0]) =>
        prefixContains(a.length < b.length ? a : b, (a.length < b.length ? b : a).address);
      const oracle = prefixes.filter((prefix) => others.some((other) => meets(prefix, other)));
      expect(overlapping(prefixes, others)).toEqual(oracle);
    }),
  );
});
