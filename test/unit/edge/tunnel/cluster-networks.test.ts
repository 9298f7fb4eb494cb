import { describe, expect, test } from "bun:test";
import { findNativePrefixes, planClusterNetworks } from "../../../../edge/tunnel/cluster-networks.ts";
import { formatPrefix } from "../../../../src/base/ip.ts";
import type { Route } from "../../../../src/wire/rtnetlink-route.ts";
import { ip, prefix } from "../../../support/network-objects.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "../../../support/tunnel-objects.ts";

const endpoint = makeEdgeEndpoint("paris.e1", { subnets: ["10.1.7.0/24"], nodeSubnets: ["192.168.9.7"] });
const connector = makeConnectorEndpoint("paris.connector", {
  publicAddresses: ["vpn.example.com", "203.0.113.1"],
  subnets: ["10.1.0.0/24"],
  nodeSubnets: ["172.16.0.1", "fd00:99::1"],
});
const config = { endpoint, peers: [connector], mediator: undefined, peerShards: 0 };

const networks = (...cidrs: readonly string[]) => {
  const { cluster, wide } = planClusterNetworks(cidrs.map(prefix), config);
  return {
    cluster: cluster.map(formatPrefix),
    wide: wide.map(({ prefix, node }) => `${formatPrefix(prefix)} ${node}`),
  };
};

test("networks with pods alone count as the cluster's", () => {
  expect(networks("10.1.0.0/16", "fd00:10::/48")).toEqual({ cluster: ["10.1.0.0/16", "fd00:10::/48"], wide: [] });
});

test.each([
  ["this node's", "192.168.0.0/16", "192.168.9.7"],
  ["a peer's", "172.16.0.0/12", "172.16.0.1"],
  ["a peer's public one", "203.0.113.0/24", "203.0.113.1"],
  ["an IPv6 one", "fd00::/8", "fd00:99::1"],
])("a network with a node's address in it does not count: %s", (_, cidr, node) => {
  expect(networks("10.1.0.0/16", cidr)).toEqual({ cluster: ["10.1.0.0/16"], wide: [`${cidr} ${node}`] });
});

describe("ways of this node's own pod network", () => {
  const route = (destination: string, over: Partial<Route> = {}): Route => ({
    ...{ destination: prefix(destination), type: "unicast", table: 254, protocol: 4, scope: 0, metric: 0 },
    ...{ linkIndex: 3, gateway: ip("192.168.9.1"), source: undefined, ...over },
  });
  const native = (peers: readonly string[], ...main: readonly Route[]) =>
    findNativePrefixes([prefix("10.1.0.0/16"), prefix("fd00:10::/48")], peers.map(prefix), main).map(formatPrefix);

  test("are those to the cluster's networks and to parts of them", () => {
    const main = [route("10.1.3.0/24"), route("10.1.0.0/16"), route("fd00:10:0:3::/64"), route("10.1.3.0/24")];
    expect(native([], ...main)).toEqual(["10.1.3.0/24", "10.1.0.0/16", "fd00:10:0:3::/64"]);
  });

  test("are no wider ones, as a default route or a VPN's", () => {
    expect(native([], route("0.0.0.0/0"), route("0.0.0.0/1"), route("10.0.0.0/8"), route("::/0"))).toEqual([]);
  });

  test("are none that lead nowhere themselves, and none of another network", () => {
    expect(native([], route("10.1.3.0/24", { type: "unreachable" }), route("10.2.3.0/24"))).toEqual([]);
  });

  test("do not count where a tunnel is for it", () => {
    expect(native(["10.1.0.0/17"], route("10.1.3.0/24"), route("10.1.200.0/24"))).toEqual(["10.1.200.0/24"]);
    expect(native(["10.1.3.0/24"], route("10.1.3.0/24"), route("10.1.0.0/20"))).toEqual(["10.1.0.0/20"]);
  });
});
