import { describe, expect, test } from "bun:test";
import { formatPrefix, prefixContains } from "../../../../src/base/ip.ts";
import {
  isFabricConnection,
  planTunnelConnection,
  type TunnelConnection,
} from "../../../../src/network/tunnel-connection.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "../../../support/tunnel-objects.ts";

const edge = makeEdgeEndpoint("paris.e1", {
  publicAddresses: ["203.0.113.7"],
  subnets: ["10.1.7.0/24"],
  nodeSubnets: ["192.168.9.7"],
});
const connector = makeConnectorEndpoint("paris.connector", {
  publicAddresses: ["198.51.100.1", "vpn.example.com"],
  subnets: ["10.96.0.0/12", "10.1.0.0/24"],
  nodeSubnets: ["10.0.0.1", "10.0.0.2"],
});

function selectors(connection: TunnelConnection): Record<string, string> {
  return Object.fromEntries(
    connection.children.map(({ name, local, remote }) => [
      name,
      `${local.map(formatPrefix).join(" ")} <-> ${remote.map(formatPrefix).join(" ")}`,
    ]),
  );
}

describe("the connection for a peer", () => {
  test("has no more selectors than IKE can count, and both ends join the same networks", () => {
    const nodes = Array.from({ length: 400 }, (_, n) => n + 1);
    const large = makeConnectorEndpoint("paris.connector", {
      publicAddresses: ["198.51.100.1"],
      subnets: [...nodes.map((n) => `10.${64 + (n >> 8)}.${n & 0xff}.0/24`), ...nodes.map((n) => `fd00:${n}::/64`)],
      nodeSubnets: nodes.map((n) => `10.0.${n >> 8}.${n & 0xff}`),
    });
    const dual = makeEdgeEndpoint("paris.e1", { subnets: ["10.1.7.0/24", "fd01::/64"], nodeSubnets: ["192.168.9.7"] });
    const [ours, theirs] = [planTunnelConnection(dual, large), planTunnelConnection(large, dual)];
    for (const { local, remote } of [...ours.children, ...theirs.children]) {
      expect(Math.max(local.length, remote.length)).toBeLessThanOrEqual(255);
    }
    const [p2p] = ours.children;
    expect(p2p?.remote ?? []).toEqual(theirs.children[0]?.local ?? []);
    for (const { address } of large.subnets) {
      expect(p2p?.remote.some((prefix) => prefixContains(prefix, address))).toBe(true);
    }
    // What lies side by side is joined without a word more.
    expect(p2p?.remote.map(formatPrefix).slice(0, 3)).toEqual(["10.64.1.0/24", "10.64.2.0/23", "10.64.4.0/22"]);
  });

  test("has FabEdge's names, identities and selectors", () => {
    const connection = planTunnelConnection(edge, connector);
    expect(connection).toMatchObject({
      name: "paris.connector",
      localId: "C=CN, O=fabedge.io, CN=paris.e1",
      remoteId: "C=CN, O=fabedge.io, CN=paris.connector",
      remoteAddresses: ["198.51.100.1", "vpn.example.com"],
      localPort: undefined,
      remotePort: undefined,
    });
    expect(selectors(connection)).toEqual({
      "paris.connector-p2p": "10.1.7.0/24 <-> 10.96.0.0/12 10.1.0.0/24",
      "paris.connector-n2p": "192.168.9.7/32 <-> 10.96.0.0/12 10.1.0.0/24",
      "paris.connector-p2n": "10.1.7.0/24 <-> 10.0.0.1/32 10.0.0.2/32",
    });
  });

  test("mirrors what the peer makes of it, with n2p and p2n in each other's place", () => {
    const here = selectors(planTunnelConnection(edge, connector));
    const there = selectors(planTunnelConnection(connector, edge));
    const turned = (text: string | undefined) => text?.split(" <-> ").reverse().join(" <-> ");
    expect(there["paris.e1-p2p"]).toBe(turned(here["paris.connector-p2p"]));
    expect(there["paris.e1-n2p"]).toBe(turned(here["paris.connector-p2n"]));
    expect(there["paris.e1-p2n"]).toBe(turned(here["paris.connector-n2p"]));
  });

  test("waits at a connector for edges, and goes to other connectors", () => {
    const other = makeConnectorEndpoint("rome.connector", {
      publicAddresses: ["198.51.100.2"],
      subnets: ["10.2.0.0/16"],
    });
    expect(planTunnelConnection(connector, edge).remoteAddresses).toEqual([]);
    expect(planTunnelConnection(connector, other).remoteAddresses).toEqual(["198.51.100.2"]);
    const begins = [planTunnelConnection(edge, connector), planTunnelConnection(edge, edge)];
    expect([...begins, planTunnelConnection(connector, other)].map(({ peerBegins }) => peerBegins)).toEqual([
      ...[false, true, true],
    ]);
  });

  test("uses local port 4500 for a peer whose port is not 500", () => {
    const at = (port: number) => planTunnelConnection(edge, { ...connector, port });
    expect(at(45000)).toMatchObject({ localPort: 4500, remotePort: 45000 });
    expect(at(500)).toMatchObject({ localPort: undefined, remotePort: undefined });
    expect(planTunnelConnection(connector, { ...edge, port: 45000 }).remotePort).toBeUndefined();
  });

  test("has no child with an empty side", () => {
    const plain = { ...connector, nodeSubnets: [] };
    expect(Object.keys(selectors(planTunnelConnection(edge, plain)))).toEqual([
      "paris.connector-p2p",
      "paris.connector-n2p",
    ]);
  });

  test("selects only families that both sides have", () => {
    const dual = makeEdgeEndpoint("paris.e2", { subnets: ["10.1.8.0/24", "fd00:8::/64"], nodeSubnets: ["fd00::8"] });
    expect(selectors(planTunnelConnection(edge, dual))).toEqual({
      "paris.e2-p2p": "10.1.7.0/24 <-> 10.1.8.0/24",
      "paris.e2-n2p": "192.168.9.7/32 <-> 10.1.8.0/24",
    });
  });
});

test("a connection is the fabric's when its identity is ours and all its children have our names", () => {
  const ours = { name: "paris.e2", localId: edge.id, childNames: ["paris.e2-p2p", "paris.e2-n2p"] };
  expect(isFabricConnection(ours, edge.id)).toBe(true);
  expect(isFabricConnection({ ...ours, localId: "C=CN, O=fabedge.io, CN=else" }, edge.id)).toBe(false);
  expect(isFabricConnection({ ...ours, childNames: ["paris.e2-p2p", "office"] }, edge.id)).toBe(false);
  expect(isFabricConnection({ ...ours, childNames: [] }, edge.id)).toBe(false);
});
