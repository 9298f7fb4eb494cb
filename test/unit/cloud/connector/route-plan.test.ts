import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Way } from "../../../../cloud/connector/reach-plan.ts";
import { type Hop, planConnectorRoutes, SOURCE_RULES_LIMIT } from "../../../../cloud/connector/route-plan.ts";
import { formatPrefix, ipFromBytes, makePrefix, prefixContains } from "../../../../src/base/ip.ts";
import type { WantedRoute } from "../../../../src/linux/routing-table-plan.ts";
import { coverPrefixes } from "../../../../src/network/prefix-cover.ts";
import { espCipher } from "../../../../src/network/tunnel-mtu.ts";
import { ip, prefix } from "../../../support/network-objects.ts";
import { makeConnector } from "../../../support/operator-objects.ts";

const OWN = makeConnector("paris", { subnets: [prefix("10.244.1.0/24")], nodeSubnets: [ip("10.0.0.1")] });
const TUNNEL: Way = {
  kind: "tunnel",
  remoteHost: ip("203.0.113.7"),
  carrier: { udp: true, cipher: espCipher("AES_GCM_16", undefined) },
};
const NONE: Way = { kind: "none" };
const UPLINK: Hop = { linkIndex: 2, gateway: ip("10.0.0.254"), mtu: 1438 };

function plan(pods: Readonly<Record<string, Way>>, hop: (way: Way) => Hop | undefined = () => UPLINK) {
  const reaches = Object.entries(pods).map(([text, way]) => ({ destination: prefix(text), way }));
  return planConnectorRoutes({ pods: reaches, nodes: [] }, OWN, [ip("10.0.0.1")], [ip("203.0.113.7")], hop);
}

function show(routes: readonly WantedRoute[]): readonly string[] {
  return routes.map((route) => `${route.kind} ${formatPrefix(route.destination)}`);
}

describe("the routes of a connector", () => {
  test("lead nowhere under each prefix, and through the tunnel while it is there", () => {
    const { podRoutes } = plan({ "10.1.7.0/24": TUNNEL, "10.1.8.0/24": NONE }, (way) =>
      way.kind === "tunnel" ? UPLINK : undefined,
    );
    expect(show(podRoutes)).toEqual(["unreachable 10.1.7.0/24", "unicast 10.1.7.0/24", "unreachable 10.1.8.0/24"]);
    expect(podRoutes[1]).toMatchObject({ source: "10.0.0.1", gateway: "10.0.0.254", mtu: 1438 });
  });

  test("to another connector keep the addresses of this node's programs, which are the link's own", () => {
    const connector = { node: "c2", address: ip("10.0.0.2"), prefixes: [], edges: [] };
    const { podRoutes } = plan({ "10.1.7.0/24": { kind: "connector", connector } });
    expect(podRoutes[1]).toMatchObject({ kind: "unicast", source: undefined });
  });

  test("leave out of a prefix what is the cluster's own, and where tunnels end", () => {
    expect(show(plan({ "10.0.0.0/8": TUNNEL, "203.0.113.0/24": NONE }).podRoutes)).toEqual([
      "unreachable 10.0.0.0/8",
      "unicast 10.0.0.0/8",
      "unreachable 203.0.113.0/24",
      "unicast 203.0.113.0/24",
      "throw 10.244.1.0/24",
      "throw 10.0.0.1/32",
      "throw 203.0.113.7/32",
    ]);
  });

  test("never promise IPv6 less than every link carries", () => {
    const { podRoutes } = plan({ "fd00:7::/64": TUNNEL }, () => ({ linkIndex: 2, gateway: undefined, mtu: 900 }));
    expect(podRoutes[1]).toMatchObject({ mtu: 1280 });
  });

  test("are asked by rules: for pods by every packet, for nodes by packets of the cluster's pods", () => {
    expect(plan({}).rules).toEqual([
      { family: 4, priority: 220, table: 220 },
      { family: 4, priority: 221, table: 221, from: prefix("10.244.1.0/24") },
      { family: 6, priority: 220, table: 220 },
    ]);
  });
});

describe("a cover", () => {
  const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes);
  const networks = fc.array(
    fc.tuple(ipv4, fc.integer({ min: 8, max: 32 })).map(([address, length]) => makePrefix(address, length)),
    { maxLength: 60 },
  );

  test("joins halves, and drops what is inside", () => {
    const nodes = [
      "10.244.2.0/24",
      "10.244.0.0/24",
      "10.244.1.0/24",
      "10.244.3.0/24",
      "10.244.2.128/25",
      "10.9.0.0/24",
    ];
    expect(coverPrefixes(nodes.map(prefix), 32).map(formatPrefix)).toEqual(["10.9.0.0/24", "10.244.0.0/22"]);
  });

  test("widens only when there are too many, where it widens least", () => {
    const nodes = ["10.0.0.0/24", "10.0.2.0/24", "192.168.0.0/24"].map(prefix);
    expect(coverPrefixes(nodes, 3).map(formatPrefix)).toEqual(["10.0.0.0/24", "10.0.2.0/24", "192.168.0.0/24"]);
    expect(coverPrefixes(nodes, 2).map(formatPrefix)).toEqual(["10.0.0.0/22", "192.168.0.0/24"]);
  });

  test("has everything inside, and no more prefixes than it may", () => {
    fc.assert(
      fc.property(networks, fc.integer({ min: 1, max: SOURCE_RULES_LIMIT }), (prefixes, most) => {
        const cover = coverPrefixes(prefixes, most);
        expect(cover.length).toBeLessThanOrEqual(Math.max(most, 1));
        for (const one of prefixes) {
          expect(cover.some((outer) => outer.length <= one.length && prefixContains(outer, one.address))).toBe(true);
        }
      }),
    );
  });

  test("adds nothing as long as it may have one for each", () => {
    fc.assert(
      fc.property(networks, ipv4, (prefixes, address) => {
        const inside = (all: readonly { readonly address: typeof address; readonly length: number }[]) =>
          all.some((one) => prefixContains(one, address));
        expect(inside(coverPrefixes(prefixes, 60))).toBe(inside(prefixes));
      }),
    );
  });
});
