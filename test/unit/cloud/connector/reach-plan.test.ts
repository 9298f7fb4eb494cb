import { describe, expect, test } from "bun:test";
import { type PeerTunnel, planReach, type Way } from "../../../../cloud/connector/reach-plan.ts";
import { type ConnectorPublication, type EdgeHolder, planHolders } from "../../../../src/network/connector-claims.ts";
import type { NodeConfig } from "../../../../src/network/node-config.ts";
import type { TunnelChildKind } from "../../../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../../../src/network/tunnel-endpoint.ts";
import { espCipher } from "../../../../src/network/tunnel-mtu.ts";
import { ip, prefix } from "../../../support/network-objects.ts";
import { makeConnector } from "../../../support/operator-objects.ts";

function edge(number: number, over: Partial<TunnelEndpoint> = {}): TunnelEndpoint {
  return {
    id: `C=CN, O=fabedge.io, CN=paris.e${number}`,
    name: `paris.e${number}`,
    publicAddresses: [],
    port: undefined,
    subnets: [prefix(`10.1.${number}.0/24`)],
    nodeSubnets: [ip(`192.168.9.${number}`)],
    type: "EdgeNode",
    ...over,
  };
}

function configOf(...peers: readonly TunnelEndpoint[]): NodeConfig {
  const endpoint = makeConnector("paris", { subnets: [prefix("10.244.1.0/24")], nodeSubnets: [ip("10.0.0.1")] });
  return { endpoint, peers, mediator: undefined, peerShards: 0 };
}

function tunnel(remoteHost: string, ...children: readonly TunnelChildKind[]): PeerTunnel {
  const carrier = { udp: true, cipher: espCipher("AES_GCM_16", undefined) };
  return { remoteHost: ip(remoteHost), carrier, children: new Set(children) };
}

function heldBy(node: string, ...names: readonly string[]): ConnectorPublication {
  const edges = names.map((name) => ({ name, claim: 1, subnets: [], nodeSubnets: [] }));
  return { node, address: ip("10.0.0.2"), prefixes: [prefix("10.244.2.0/24")], edges };
}

function ways(
  config: NodeConfig,
  tunnels: Readonly<Record<string, PeerTunnel>>,
  holders: ReadonlyMap<string, EdgeHolder> = new Map(),
) {
  const { pods, nodes } = planReach(config, new Map(Object.entries(tunnels)), holders);
  const text = (way: Way) =>
    way.kind === "tunnel" ? `tunnel to ${way.remoteHost}` : way.kind === "connector" ? way.connector.node : "none";
  return Object.fromEntries(
    [...pods, ...nodes].map(({ destination, way }) => [`${destination.address}/${destination.length}`, text(way)]),
  );
}

describe("the ways of a connector", () => {
  test("to an edge that it holds are its tunnel, child by child", () => {
    expect(ways(configOf(edge(7)), { "paris.e7": tunnel("203.0.113.7", "p2p", "n2p") })).toEqual({
      "10.1.7.0/24": "tunnel to 203.0.113.7",
      "192.168.9.7/32": "none",
    });
  });

  test("to an edge that another holds are that connector", () => {
    const holders = planHolders([heldBy("c2", "paris.e7")]);
    expect(ways(configOf(edge(7), edge(8)), {}, holders)).toEqual({
      "10.1.7.0/24": "c2",
      "192.168.9.7/32": "c2",
      "10.1.8.0/24": "none",
      "192.168.9.8/32": "none",
    });
  });

  test("to an edge that it holds itself do not lead to who held it before", () => {
    const holders = planHolders([heldBy("c2", "paris.e7")]);
    expect(ways(configOf(edge(7)), { "paris.e7": tunnel("203.0.113.7", "p2p", "p2n") }, holders)).toMatchObject({
      "10.1.7.0/24": "tunnel to 203.0.113.7",
    });
  });

  test("never lead out of the cluster to what is in it, or for one prefix to two peers", () => {
    const own = edge(7, { subnets: [prefix("10.244.1.0/24")], nodeSubnets: [ip("10.0.0.1")] });
    const twin = edge(9, { subnets: edge(8).subnets, nodeSubnets: edge(8).nodeSubnets });
    const tunnels = {
      "paris.e8": tunnel("203.0.113.8", "p2p", "p2n"),
      "paris.e9": tunnel("203.0.113.9", "p2p", "p2n"),
    };
    expect(ways(configOf(own, edge(8), twin), tunnels)).toEqual({
      "10.1.8.0/24": "tunnel to 203.0.113.8",
      "192.168.9.8/32": "tunnel to 203.0.113.8",
    });
  });
});
