import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { ClearTap } from "../lab/clear-tap.ts";
import { reaches } from "../lab/fabric/matrix.ts";
import type { CloudNode, EdgeNode } from "../lab/fabric/network.ts";
import type { Host } from "../lab/host.ts";
import { PlainConnector } from "../lab/plain-connector.ts";
import { waitFor } from "../lab/wait-for.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "../support/tunnel-objects.ts";
import { CONNECTOR, type StartedEdge, TunnelWorld, tunnelUp } from "../support/tunnel-world.ts";

const PODS = { ipv4: "10.244.0.0/16", ipv6: "fd00:10:244::/48" };

function startConnector(world: TunnelWorld, cloud: CloudNode, own: TunnelEndpoint, edge: TunnelEndpoint) {
  const { authority } = world.certificates;
  return PlainConnector.start(cloud.host, own, [edge], world.certificates.issue(CONNECTOR), authority);
}

/** The routes of a tunnel that is up come a moment after it. */
function reached(from: Host, address: string): Promise<true> {
  return waitFor(`${address} to answer ${from.name}`, () => reaches(from, { name: address, address }));
}

/** Both ways, IPv4 and IPv6. */
async function podsReached(edge: EdgeNode, cloud: CloudNode): Promise<void> {
  for (const [from, to] of [
    [edge, cloud],
    [cloud, edge],
  ] as const) {
    for (const address of to.podAddresses) await reached(from.pod, address);
  }
}

describe("a connector behind a router that hands on one UDP port of another number", () => {
  const GATE = "198.51.100.200";
  const PORT = 4501;
  let world: TunnelWorld;
  let edge: EdgeNode;
  let cloud: CloudNode;
  let gate: Host;
  let connector: PlainConnector;
  let started: StartedEdge;

  beforeAll(async () => {
    world = await TunnelWorld.create({ edges: 1 });
    [edge, cloud] = [world.edge(1), world.cloud(1)];
    gate = await addGate();
    // Nobody reaches the edge node, either: its router hands nothing on.
    await edge.router.output(["nft", "delete", "chain", "ip", "nat", "in"]);
    const endpoint = { ...world.connectorEndpoint(cloud), publicAddresses: [GATE], port: PORT };
    connector = await startConnector(world, cloud, endpoint, world.endpoint(edge));
    started = await world.startEdge(edge, [endpoint]);
  }, seconds(120));
  afterAll(() => world?.[Symbol.asyncDispose]());

  async function addGate(): Promise<Host> {
    const { lab, internet } = world.network;
    const [router, inside] = [await lab.host("gate"), await lab.switch("inside")];
    await router.connect(internet, { address: `${GATE}/24` });
    await router.connect(inside, { address: "172.31.0.1/24" });
    await cloud.host.connect(inside, { address: "172.31.0.2/24" });
    await cloud.host.ip("link del eth1", "route replace default via 172.31.0.1");
    await router.output(["nft", "-f", "-"], {
      input: `table ip nat {
        chain in { type nat hook prerouting priority dstnat; iif eth0 udp dport ${PORT} dnat to 172.31.0.2:4500; }
        chain seen {
          type filter hook prerouting priority -300;
          iif eth0 udp dport ${PORT} counter
          iif eth0 udp dport != ${PORT} counter
        }
      }`,
    });
    return router;
  }

  test(
    "is reached by that port alone",
    async () => {
      const { ike } = await tunnelUp(edge, CONNECTOR, { timeout: seconds(30) });
      expect(ike).toMatchObject({
        local: { address: edge.address, port: 4500 },
        remote: { address: GATE, port: PORT },
        nat: { local: true, remote: true },
      });
      expect(await started.charon.swanctl("--list-sas")).toContain(`@ ${GATE}[${PORT}]`);
      await podsReached(edge, cloud);
      const seen = await gate.output(["nft", "list", "chain", "ip", "nat", "seen"]);
      const [used, others] = [...seen.matchAll(/packets (\d+)/g)].map(([, packets]) => Number(packets));
      expect(used).toBeGreaterThan(10);
      expect(others).toBe(0);
    },
    seconds(120),
  );

  test(
    "is reached again after both have lost what they knew of the tunnel",
    async () => {
      await connector.vanish();
      await started.charon.kill();
      await connector.restart();
      await started.charon.start();
      await waitFor("the tunnel", () => reaches(edge.pod, { name: "c1", address: cloud.podAddresses[0] }), {
        timeout: seconds(40),
      });
      await podsReached(edge, cloud);
    },
    seconds(120),
  );
});

describe("a node that has IPv6 alone towards its connector", () => {
  const EDGE = "2001:db8:1::10";
  const CLOUD = "2001:db8::1";
  let world: TunnelWorld;
  let edge: EdgeNode;
  let cloud: CloudNode;
  let tap: ClearTap;
  let endpoint: TunnelEndpoint;
  let connectorEndpoint: TunnelEndpoint;

  beforeAll(async () => {
    world = await TunnelWorld.create({ edges: 1 });
    [edge, cloud] = [world.edge(1), world.cloud(1)];
    tap = await ClearTap.start(edge.router, PODS);
    await leaveIpv4();
    endpoint = makeEdgeEndpoint("paris.e1", { subnets: edge.podCidrs, nodeSubnets: [EDGE] });
    connectorEndpoint = makeConnectorEndpoint(CONNECTOR, {
      publicAddresses: [CLOUD],
      subnets: cloud.podCidrs,
      nodeSubnets: [cloud.address],
    });
    await startConnector(world, cloud, connectorEndpoint, endpoint);
    await world.certify(edge);
    await world.configure(edge, [connectorEndpoint], endpoint);
    await world.startCharonAndAgent(edge);
  }, seconds(120));
  afterAll(() => world?.[Symbol.asyncDispose]());

  async function leaveIpv4(): Promise<void> {
    const { host, router, address } = edge;
    await cloud.host.ip(`address add ${CLOUD}/64 dev eth1 nodad`, "route add 2001:db8:1::/64 via 2001:db8::11");
    await router.ip("address add 2001:db8::11/64 dev eth0 nodad", "address add 2001:db8:1::1/64 dev eth1 nodad");
    await host.ip(
      `address del ${address}/24 dev eth0`,
      `address add ${EDGE}/64 dev eth0 nodad`,
      "route add default via 2001:db8:1::1",
    );
  }

  test(
    "has a tunnel that carries IPv4 and IPv6",
    async () => {
      const { ike } = await tunnelUp(edge, CONNECTOR, { timeout: seconds(30) });
      expect(ike).toMatchObject({ local: { address: EDGE }, remote: { address: CLOUD } });
      await podsReached(edge, cloud);
      // And from the node itself, which has no IPv4 address but among its pods.
      for (const address of cloud.podAddresses) await reached(edge.host, address);
      await reached(edge.pod, cloud.address);
      expect(await tap.clear()).toEqual([]);
    },
    seconds(120),
  );

  test("has a path as wide as charon's link, in an outer header that is larger", async () => {
    const route = await edge.host.output(["ip", "route", "get", cloud.podAddresses[0]]);
    expect(route).toMatch(/dev ipsec0 .*mtu 1400/s);
    const large = ["ping", "-n", "-M", "do", "-c", "2", "-W", "1", "-s", "1372", cloud.podAddresses[0]];
    expect((await edge.pod.run(large)).code).toBe(0);
  });
});
