import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { ClearTap } from "../lab/clear-tap.ts";
import type { CloudNode, EdgeNode } from "../lab/fabric/network.ts";
import type { Host } from "../lab/host.ts";
import { waitFor } from "../lab/wait-for.ts";
import { SteadyPing } from "../support/steady-ping.ts";
import { CONNECTOR, TunnelWorld, tunnelsOf, tunnelUp } from "../support/tunnel-world.ts";

const PODS = { ipv4: "10.244.0.0/16", ipv6: "fd00:10:244::/48" };
/** As a mobile network gives it: nobody else is on the link, and there is no gateway. */
const MOBILE_ADDRESS = "100.64.0.2";
const ROAM_SECONDS = 5;
const REJOIN = seconds(3);

let world: TunnelWorld;
let edge: EdgeNode;
let cloud: CloudNode;
let carrier: Host;
let taps: readonly ClearTap[];

beforeAll(async () => {
  world = await TunnelWorld.create({ edges: 1 });
  [edge, cloud] = [world.edge(1), world.cloud(1)];
  await world.startConnector(cloud);
  carrier = await addMobileNetwork();
  taps = await Promise.all([edge.router, carrier].map((router) => ClearTap.start(router, PODS)));
  await world.startEdge(edge, [world.connectorEndpoint(cloud)]);
  await tunnelUp(edge, CONNECTOR);
}, seconds(120));
afterAll(() => world?.[Symbol.asyncDispose]());

/** A second uplink of the edge node, which it does not use yet. */
async function addMobileNetwork(): Promise<Host> {
  const { lab, internet } = world.network;
  const mobile = await lab.switch("mobile");
  const router = await lab.host("carrier");
  await router.connect(internet, { address: "198.51.100.60/24" });
  await router.connect(mobile, { address: "100.64.0.1/32" });
  await edge.host.connect(mobile, { address: `${MOBILE_ADDRESS}/32` });
  await router.ip(`route add ${MOBILE_ADDRESS} dev eth1`);
  await router.output([
    "sh",
    "-c",
    "echo 1 >/proc/sys/net/ipv4/conf/eth1/proxy_arp; echo 1 >/proc/sys/net/ipv4/ip_forward",
  ]);
  await router.output(["nft", "-f", "-"], {
    input: `table ip nat {
      chain out { type nat hook postrouting priority srcnat; oif eth0 masquerade; }
    }`,
  });
  return router;
}

async function localAddress(): Promise<string> {
  return (await tunnelsOf(edge))[0]?.ike?.local.address ?? "";
}

async function nothingInClear(): Promise<void> {
  for (const tap of taps) expect(await tap.clear()).toEqual([]);
}

const reachesCloud = () => edge.pod.run(["ping", "-n", "-c", "1", "-W", "1", cloud.podAddresses[0]]);

describe("a node whose uplink changes", () => {
  test(
    "has traffic over one without a gateway within five seconds, and no second SA",
    async () => {
      const ping = await SteadyPing.start(edge.pod, cloud.podAddresses[0]);
      await edge.host.ip("link set eth0 down", "route add default dev eth1");
      await waitFor("the other uplink", async () => (await localAddress()) === MOBILE_ADDRESS);
      expect((await ping.stop()).longestGapSeconds).toBeLessThan(ROAM_SECONDS);
      await nothingInClear();
      await waitFor(
        "one SA",
        async () => {
          const sas = await edge.host.output([
            "swanctl",
            "--list-sas",
            "--uri",
            "unix:///run/selvedge/charon/charon.vici",
          ]);
          return sas.match(/ESTABLISHED/g)?.length === 1;
        },
        { timeout: seconds(40) },
      );
    },
    seconds(60),
  );

  test(
    "comes back to the first one",
    async () => {
      const ping = await SteadyPing.start(edge.pod, cloud.podAddresses[0]);
      await edge.host.ip("link set eth0 up", "route del default dev eth1", "route add default via 192.168.1.1");
      await waitFor("the first uplink", async () => (await localAddress()) === edge.address);
      expect((await ping.stop()).longestGapSeconds).toBeLessThan(ROAM_SECONDS);
      await nothingInClear();
    },
    seconds(60),
  );
});

describe("a node with a second uplink for the time without the first", () => {
  test(
    "follows the first one back, although charon would stay where it is",
    async () => {
      const cloudReached = () => waitFor("the cloud", async () => (await reachesCloud()).code === 0);
      await edge.host.ip("route add default dev eth1 metric 700", `address del ${edge.address}/24 dev eth0`);
      await waitFor("the second uplink", async () => (await localAddress()) === MOBILE_ADDRESS);
      await cloudReached();
      await edge.host.ip(`address add ${edge.address}/24 dev eth0`, "route add default via 192.168.1.1");
      // Charon itself gives the old way up after 13 s at least.
      await waitFor("the first uplink", async () => (await localAddress()) === edge.address, { timeout: seconds(10) });
      await cloudReached();
      await edge.host.ip("route del default dev eth1");
      await nothingInClear();
    },
    seconds(60),
  );
});

describe("a node whose link goes and comes", () => {
  test(
    "ten times a second reaches the cloud within three seconds of the end, and sends nothing in clear",
    async () => {
      const flap = "for i in $(seq 10); do ip link set eth0 down; sleep 0.05; ip link set eth0 up; sleep 0.05; done";
      await edge.host.output(["sh", "-c", `${flap}; ip route replace default via 192.168.1.1`]);
      await waitFor("the cloud", async () => (await reachesCloud()).code === 0, { timeout: REJOIN });
      await nothingInClear();
    },
    seconds(30),
  );

  test(
    "with its address, reaches the cloud within three seconds of having it back",
    async () => {
      await edge.host.ip(`address del ${edge.address}/24 dev eth0`);
      expect((await reachesCloud()).code).not.toBe(0);
      await edge.host.ip(`address add ${edge.address}/24 dev eth0`, "route replace default via 192.168.1.1");
      await waitFor("the cloud", async () => (await reachesCloud()).code === 0, { timeout: REJOIN });
      // And this node itself, whose address the routes name.
      const fromNode = ["ping", "-n", "-c", "1", "-W", "1", cloud.podAddresses[0]];
      await waitFor("the node", async () => (await edge.host.run(fromNode)).code === 0, { timeout: REJOIN });
      await nothingInClear();
    },
    seconds(30),
  );
});
