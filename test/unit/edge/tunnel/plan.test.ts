import { describe, expect, test } from "bun:test";
import { planFabricView } from "../../../../edge/tunnel/fabric-view.ts";
import { type PeerPath, planRouting, type TunnelFacts } from "../../../../edge/tunnel/plan.ts";
import { formatPrefix } from "../../../../src/base/ip.ts";
import type { WantedRoute } from "../../../../src/linux/routing-table-plan.ts";
import type { TunnelChildKind } from "../../../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../../../src/network/tunnel-endpoint.ts";
import { ip, prefix } from "../../../support/network-objects.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "../../../support/tunnel-objects.ts";

const own = makeEdgeEndpoint("paris.e1", {
  subnets: ["10.1.7.0/24", "fd00:7::/64"],
  nodeSubnets: ["192.168.9.7"],
});
const peer = makeEdgeEndpoint("paris.e2", {
  publicAddresses: ["203.0.113.8"],
  subnets: ["10.1.8.0/24", "fd00:8::/64"],
  nodeSubnets: ["192.168.9.8"],
});

const UP: PeerPath = {
  installed: new Set<TunnelChildKind>(["p2p", "n2p", "p2n"]),
  way: { linkIndex: 2, gateway: ip("192.168.9.1"), mtu: 1438 },
  uplinkMtu: 1500,
  uplinkSource: ip("192.168.9.7"),
  linkMtu: 1500,
  hosts: [ip("203.0.113.8")],
};

function plan(peers: readonly TunnelEndpoint[], over: Partial<TunnelFacts> = {}, cluster: readonly string[] = []) {
  const fabric = planFabricView({ endpoint: own, peers, mediator: undefined, peerShards: 0 }, cluster.map(prefix));
  return planRouting({
    fabric,
    native: [],
    paths: new Map(),
    unknown: new Set(),
    present: { pods: new Map(), nodes: new Map() },
    ownAddresses: new Set([ip("192.168.9.7")]),
    servesPrefix: () => false,
    ...over,
  });
}

function text(route: WantedRoute): string {
  const destination = formatPrefix(route.destination);
  if (route.kind !== "unicast") return `${route.kind} ${destination}`;
  const { gateway, linkIndex, source, mtu } = route;
  const words = [
    gateway === undefined ? "" : `via ${gateway}`,
    `dev ${linkIndex}`,
    source === undefined ? "" : `src ${source}`,
  ];
  return [destination, ...words, `mtu ${mtu}`].filter((word) => word !== "").join(" ");
}

const pods = (...args: Parameters<typeof plan>) => plan(...args).podRoutes.map(text);
const nodes = (...args: Parameters<typeof plan>) => plan(...args).nodeRoutes.map(text);

describe("routes to a peer", () => {
  test("lead nowhere as long as its tunnel is down, for its pods and its nodes", () => {
    expect(pods([peer])).toEqual(["unreachable 10.1.8.0/24", "unreachable fd00:8::/64"]);
    expect(nodes([peer])).toEqual(["unreachable 192.168.9.8/32"]);
  });

  test("lead into the tunnel while it is up, above those that lead nowhere", () => {
    const paths = new Map([["paris.e2", UP]]);
    expect(pods([peer], { paths })).toEqual([
      "unreachable 10.1.8.0/24",
      "10.1.8.0/24 via 192.168.9.1 dev 2 src 192.168.9.7 mtu 1438",
      "unreachable fd00:8::/64",
      // An IPv4 gateway is no next hop of an IPv6 route, and the node has no IPv6 address of the fabric's.
      "fd00:8::/64 dev 2 mtu 1438",
    ]);
    expect(nodes([peer], { paths })).toEqual([
      "unreachable 192.168.9.8/32",
      "192.168.9.8/32 via 192.168.9.1 dev 2 src 192.168.9.7 mtu 1438",
    ]);
    const above = plan([peer], { paths }).podRoutes.map((route) => route.metric ?? 0);
    expect(above).toEqual([4_278_198_272, 0, 4_278_198_272, 0]);
  });

  test("lead only to what has an SA", () => {
    const only = (kind: TunnelChildKind) => new Map([["paris.e2", { ...UP, installed: new Set([kind]) }]]);
    expect(nodes([peer], { paths: only("p2p") })).toEqual(["unreachable 192.168.9.8/32"]);
    expect(pods([peer], { paths: only("p2n") })).toEqual(["unreachable 10.1.8.0/24", "unreachable fd00:8::/64"]);
    // This node itself reaches the peer's pods by the third child.
    expect(pods([peer], { paths: only("n2p") })).toContain(
      "10.1.8.0/24 via 192.168.9.1 dev 2 src 192.168.9.7 mtu 1438",
    );
  });

  test("stay as an earlier run left them until charon has told of their tunnel", () => {
    const route = (destination: string): readonly [string, WantedRoute] => [
      destination,
      { kind: "unicast", destination: prefix(destination), linkIndex: 9, mtu: 1300 },
    ];
    const present = {
      pods: new Map([route("10.1.8.0/24"), route("10.9.0.0/16")]),
      nodes: new Map([route("192.168.9.8/32")]),
    };
    const known = { unknown: new Set<string>(), present };
    const unknown = { unknown: new Set(["paris.e2"]), present };
    expect(pods([peer], known)).toEqual(["unreachable 10.1.8.0/24", "unreachable fd00:8::/64"]);
    expect(pods([peer], unknown)).toEqual([
      "unreachable 10.1.8.0/24",
      "10.1.8.0/24 dev 9 mtu 1300",
      "unreachable fd00:8::/64",
    ]);
    expect(nodes([peer], unknown)).toEqual(["unreachable 192.168.9.8/32", "192.168.9.8/32 dev 9 mtu 1300"]);
  });

  test("have no gateway where the uplink has none, and no source that is not this node's", () => {
    const way = { linkIndex: 3, gateway: undefined, mtu: 1400 };
    const paths = new Map([["paris.e2", { ...UP, way }]]);
    expect(pods([peer], { paths, ownAddresses: new Set() })).toContain("10.1.8.0/24 dev 3 mtu 1400");
  });

  test("give this node's own packets its address among its pods where no SA is for its own", () => {
    const ownAddresses = new Set([ip("192.168.9.7"), ip("10.1.7.1"), ip("fd00:7::1")]);
    const via = (nodeSubnets: readonly string[]) =>
      pods([{ ...peer, nodeSubnets: nodeSubnets.map(ip) }], { paths: new Map([["paris.e2", UP]]), ownAddresses });
    expect(via(["192.168.9.8"])).toContain("10.1.8.0/24 via 192.168.9.1 dev 2 src 192.168.9.7 mtu 1438");
    // IPv6 is the kernel's to choose.
    expect(via([])).toContain("fd00:8::/64 dev 2 mtu 1438");
    // A peer that has the same, or that another node's claim has left without.
    for (const theirs of [["192.168.9.7"], []]) {
      expect(via(theirs)).toContain("10.1.8.0/24 via 192.168.9.1 dev 2 src 10.1.7.1 mtu 1438");
    }
  });

  test("lead nowhere while there is no uplink", () => {
    const paths = new Map([["paris.e2", { ...UP, way: undefined }]]);
    expect(pods([peer], { paths })).toEqual(["unreachable 10.1.8.0/24", "unreachable fd00:8::/64"]);
  });

  test("do not say less than 1280 to IPv6, which every link has", () => {
    const paths = new Map([["paris.e2", { ...UP, way: { linkIndex: 2, gateway: undefined, mtu: 1218 } }]]);
    expect(pods([peer], { paths })).toContain("fd00:8::/64 dev 2 mtu 1280");
    expect(pods([peer], { paths })).toContain("10.1.8.0/24 dev 2 src 192.168.9.7 mtu 1218");
  });

  test("leave out networks whose services this node translates itself", () => {
    const connector = makeConnectorEndpoint("paris.connector", { subnets: ["10.96.0.0/12", "10.1.0.0/24"] });
    const servesPrefix = (prefix: { readonly length: number }) => prefix.length === 12;
    expect(pods([connector], { servesPrefix })).toEqual(["unreachable 10.1.0.0/24"]);
  });

  test("leave out this node's own address, which another site's node may have as well", () => {
    const twin = { ...peer, nodeSubnets: [ip("192.168.9.7"), ip("192.168.9.8")] };
    expect(nodes([twin])).toEqual(["unreachable 192.168.9.8/32"]);
  });

  test("leave to the main table what lies inside a peer's network and is elsewhere", () => {
    const wide = makeConnectorEndpoint("paris.connector", {
      publicAddresses: ["10.20.0.1", "vpn.example.com", "198.51.100.1"],
      subnets: ["10.0.0.0/8"],
    });
    const paths = new Map([["paris.connector", { ...UP, hosts: [ip("10.20.0.9")] }]]);
    expect(pods([wide], { paths })).toEqual([
      "unreachable 10.0.0.0/8",
      "10.0.0.0/8 via 192.168.9.1 dev 2 src 192.168.9.7 mtu 1438",
      "throw 10.1.7.0/24",
      "throw 10.20.0.1/32",
      "throw 10.20.0.9/32",
    ]);
  });
});

describe("the networks of all the cluster's pods", () => {
  const cluster = ["10.1.0.0/16", "fd00::/16"];

  test("lead nowhere, except to this node's own pods, and to peers' by their tunnels", () => {
    const paths = new Map([["paris.e2", UP]]);
    expect(pods([peer], { paths }, cluster)).toEqual([
      "unreachable 10.1.8.0/24",
      "10.1.8.0/24 via 192.168.9.1 dev 2 src 192.168.9.7 mtu 1438",
      "unreachable fd00:8::/64",
      "fd00:8::/64 dev 2 mtu 1438",
      "unreachable 10.1.0.0/16",
      "unreachable fd00::/16",
      "throw 10.1.7.0/24",
      "throw fd00:7::/64",
    ]);
  });

  test("lead where this node's pod network leads", () => {
    expect(pods([], { native: [prefix("10.1.9.0/24")] }, cluster)).toContain("throw 10.1.9.0/24");
  });

  test("lead nowhere beside a connector that has all of them behind it", () => {
    const connector = makeConnectorEndpoint("paris.connector", { subnets: ["10.1.0.0/16"] });
    const paths = new Map([["paris.connector", { ...UP, hosts: [] }]]);
    expect(new Set(pods([connector], { paths }, ["10.1.0.0/16"]))).toEqual(
      new Set([
        "unreachable 10.1.0.0/16",
        "10.1.0.0/16 via 192.168.9.1 dev 2 src 192.168.9.7 mtu 1438",
        "throw 10.1.7.0/24",
      ]),
    );
  });

  test("are left to the service proxy where they have services in them", () => {
    const servesPrefix = (prefix: { readonly length: number }) => prefix.length === 16;
    expect(pods([], { servesPrefix }, ["10.3.0.0/16", "10.4.0.0/15"])).toEqual(["unreachable 10.4.0.0/15"]);
  });
});

test("all packets but charon's own ask for peers' pods, and only pods for peers' nodes", () => {
  const { rules } = plan([peer]);
  expect(rules).toEqual([
    { family: 4, priority: 220, table: 220, mark: { value: 0x42, mask: 0xffffffff }, invert: true },
    { family: 6, priority: 220, table: 220, mark: { value: 0x42, mask: 0xffffffff }, invert: true },
    { family: 4, priority: 221, table: 221, from: own.subnets[0] },
    { family: 6, priority: 221, table: 221, from: own.subnets[1] },
  ] as typeof rules);
});
