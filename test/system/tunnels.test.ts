import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { Charon } from "../lab/charon.ts";
import { ClearTap } from "../lab/clear-tap.ts";
import { reaches } from "../lab/fabric/matrix.ts";
import type { CloudNode, EdgeNode, FabricNode } from "../lab/fabric/network.ts";
import type { Host } from "../lab/host.ts";
import type { PlainConnector } from "../lab/plain-connector.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { conditionOf, selvedge } from "../support/edge-world.ts";
import { SteadyPing } from "../support/steady-ping.ts";
import { CONNECTOR, TunnelWorld, tunnelsOf, tunnelUp } from "../support/tunnel-world.ts";

const PODS = { ipv4: "10.244.0.0/16", ipv6: "fd00:10:244::/48" };

let world: TunnelWorld;
let e1: EdgeNode;
let e2: EdgeNode;
let c1: CloudNode;
let connector: PlainConnector;
let charon: Charon;
let agent: LabProcess;
let tap: ClearTap;

beforeAll(async () => {
  world = await TunnelWorld.create();
  [e1, e2, c1] = [world.edge(1), world.edge(2), world.cloud(1)];
  tap = await ClearTap.start(e1.router, PODS);
  await world.certify(e1);
  await world.configure(e1, [world.connectorEndpoint(c1), world.endpoint(e2)]);
  // First without charon: nothing is up.
  agent = await startAgent();
}, seconds(120));
afterAll(() => world?.[Symbol.asyncDispose]());

/** It knows the networks of all pods, as the operator tells them, and is told of one that nodes are in. */
function startAgent(): Promise<LabProcess> {
  return world.startAgent(e1, { args: [`--proxy-cluster-cidr=${PODS.ipv4},${PODS.ipv6},192.168.0.0/16`] });
}

/** Everything that could leave e1 in clear tries to; some of it may get through a tunnel. */
async function tryEverything(): Promise<void> {
  const targets = [e2, c1].flatMap((node) => [...node.podAddresses, node.address]);
  const ping = (from: FabricNode["host"], to: string) =>
    from.run(["ping", "-n", "-c", "3", "-i", "0.1", "-W", "0.3", to]);
  await Promise.all([
    ...targets.map((to) => ping(e1.pod, to)),
    ...[e2, c1].flatMap((node) => node.podAddresses).map((to) => ping(e1.host, to)),
    // From an address that no SA is for.
    e1.host.run(["ping", "-n", "-c", "3", "-i", "0.1", "-W", "0.3", "-I", "lo", e2.podAddresses[0]]),
  ]);
}

/** Not each time: the kernel sends one host no more than one such error a second (icmp_ratelimit). */
function refused(from: Host, to: string): Promise<true> {
  return waitFor(`a refusal of ${to}`, async () => {
    const { stdout, stderr } = await from.run(["ping", "-n", "-c", "1", "-W", "1", to]);
    return /unreachable|No route to host/i.test(stdout + stderr);
  });
}

/** The routes of a tunnel that is up come a moment after it. */
function reached(name: string, from: Host, address: string): Promise<true> {
  return waitFor(`${address} to answer ${name}`, () => reaches(from, { name, address }));
}

async function nothingInClear(during: () => Promise<void>): Promise<void> {
  await during();
  expect(await tap.clear()).toEqual([]);
}

describe("a node whose charon is not there yet", () => {
  test("sends nothing in clear, and says what is missing", async () => {
    await nothingInClear(tryEverything);
    expect(await reaches(e1.pod, { name: "e2", address: e2.podAddresses[0] })).toBe(false);
    expect(await waitFor("a condition", () => conditionOf(e1.host, "CHARON_ABSENT"))).toMatchObject({
      severity: "degraded",
    });
  });

  test("says that a network of nodes cannot be one of pods alone", async () => {
    const { message } = await waitFor("a condition", () => conditionOf(e1.host, "CLUSTER_CIDR_WIDE"));
    expect(message).toContain("192.168.0.0/16 is not of pods alone: a node has 192.168.1.10");
  });

  test("refuses at once what would go into a tunnel", async () => {
    await refused(e1.pod, e2.podAddresses[0]);
  });
});

describe("two edge nodes and a connector of FabEdge's", () => {
  test(
    "have tunnels to one another within seconds",
    async () => {
      connector = await world.startConnector(c1);
      charon = await Charon.start(e1.host);
      await world.startEdge(e2, [world.connectorEndpoint(c1), world.endpoint(e1)]);
      const peers: readonly (readonly [FabricNode, string])[] = [
        [e1, CONNECTOR],
        [e2, CONNECTOR],
        [e1, "paris.e2"],
        [e2, "paris.e1"],
      ];
      await Promise.all(peers.map(([node, peer]) => tunnelUp(node, peer)));
      expect(await conditionOf(e1.host, "CHARON_ABSENT")).toBeUndefined();
    },
    seconds(90),
  );

  test(
    "reach each other's pods, IPv4 and IPv6, pods each other's nodes, and nodes each other's pods",
    async () => {
      const nodes = [e1, e2, c1];
      const pairs = nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to) => [from, to] as const));
      const attempts = pairs.flatMap(([from, to]) => [
        ...to.podAddresses.map((address) => [`pod of ${from.name}`, from.pod, address] as const),
        [`pod of ${from.name}`, from.pod, to.address] as const,
        [from.name, from.host, to.podAddresses[0]] as const,
      ]);
      expect(attempts).toHaveLength(24);
      for (const [name, host, address] of attempts) await reached(name, host, address);
      expect(await tap.clear()).toEqual([]);
      expect(await tap.tunnelPackets()).toBeGreaterThan(50);
    },
    seconds(90),
  );

  test("leave the world the address of its node, and the fabric that of the pod", async () => {
    const heard = await c1.host.spawn(["socat", "-u", "UDP-RECVFROM:9999,fork", "SYSTEM:echo from $SOCAT_PEERADDR"]);
    const heardByPod = await c1.pod.spawn([
      "socat",
      "-u",
      "UDP-RECVFROM:9999,fork",
      "SYSTEM:echo from $SOCAT_PEERADDR",
    ]);
    const say = (to: string) => e1.pod.output(["sh", "-c", `echo hello | socat - UDP-SENDTO:${to}:9999`]);
    await waitFor("the world to hear", async () => {
      await say(c1.publicAddress);
      // The router's, which is what the world sees of the node.
      return heard.log.includes(`from ${e1.publicAddress}`);
    });
    await waitFor("the pod to hear", async () => {
      await say(c1.podAddresses[0]);
      return heardByPod.log.includes(`from ${e1.podAddresses[0]}`);
    });
    await Promise.all([heard.stop(), heardByPod.stop()]);
  });

  test("find each segment of TCP small enough for the tunnel", async () => {
    const rules = await e1.host.output(["nft", "list", "table", "inet", "selvedge-fabric"]);
    expect(rules).toContain("tcp option maxseg size set rt mtu");
    await c1.pod.spawn(["socat", "-u", "TCP6-LISTEN:9000,fork", "OPEN:/dev/null"]);
    const send = "head -c 3000000 /dev/zero | socat -u -T 5 - TCP:$0:9000";
    for (const address of [c1.podAddresses[0], `[${c1.podAddresses[1]}]`]) {
      await waitFor(`3 MB to ${address}`, async () => (await e1.pod.run(["sh", "-c", send, address])).code === 0);
    }
  });
});

describe("an agent", () => {
  test("that is killed and started again loses no packet and touches no SA", async () => {
    const ids = async () => (await tunnelsOf(e1)).map(({ ike }) => ike?.uniqueId);
    const before = await ids();
    const kernel = () => e1.host.output(["sh", "-c", "ip rule; ip route show table 220; ip route show table 221"]);
    const routes = await kernel();
    const ping = await SteadyPing.start(e1.pod, c1.podAddresses[0]);
    await agent.kill();
    agent = await startAgent();
    await Promise.all([tunnelUp(e1, CONNECTOR), tunnelUp(e1, "paris.e2")]);
    expect(await ping.stop()).toMatchObject({ lost: 0 });
    expect(await ids()).toEqual(before);
    expect(await kernel()).toBe(routes);
  });

  test("takes a new certificate without losing a packet", async () => {
    const ping = await SteadyPing.start(e1.pod, c1.podAddresses[0]);
    await world.certify(e1);
    const own = await e1.host.readFile("/etc/ipsec.d/certs/tls.crt");
    const { stdout } = await e1.host.run(["openssl", "x509", "-noout", "-serial"], { input: own });
    const serial = stdout.trim().replace("serial=", "").toLowerCase();
    await waitFor("the new certificate in charon", async () =>
      (await charon.swanctl("--list-certs")).replaceAll(":", "").includes(serial),
    );
    expect(await ping.stop()).toMatchObject({ lost: 0 });
    // And it is good: the other end takes it.
    await charon.swanctl("--terminate", "--ike", "paris.e2");
    await tunnelUp(e1, "paris.e2");
  });

  test("has what others took from it back within five seconds, and sends nothing in clear meanwhile", async () => {
    await nothingInClear(async () => {
      await e1.host.output(["sh", "-c", "ip route flush table 220; ip rule del pref 220; ip route flush table 221"]);
      await tryEverything();
      await waitFor("pods", () => reaches(e1.pod, { name: "e2", address: e2.podAddresses[0] }), {
        timeout: seconds(5),
      });
      await e1.host.output(["nft", "delete", "table", "inet", "selvedge-fabric"]);
      await waitFor(
        "the table",
        async () => (await e1.host.run(["nft", "list", "table", "inet", "selvedge-fabric"])).code === 0,
        {
          timeout: seconds(5),
        },
      );
    });
  });
});

describe("a tunnel that goes down", () => {
  test(
    "leaks nothing when charon dies, and is back when charon is",
    async () => {
      await nothingInClear(async () => {
        await charon.kill();
        await tryEverything();
      });
      expect(await reaches(e1.pod, { name: "c1", address: c1.podAddresses[0] })).toBe(false);
      await charon.start();
      await tunnelUp(e1, CONNECTOR);
      await reached("pod of e1", e1.pod, c1.podAddresses[0]);
    },
    seconds(90),
  );

  test(
    "leaks nothing when its peer vanishes, and goes with a peer that is no longer wanted",
    async () => {
      await nothingInClear(async () => {
        await connector.vanish();
        await tryEverything();
      });
      await world.configure(e1, [world.connectorEndpoint(c1)]);
      await waitFor("the end", async () => !(await charon.swanctl("--list-conns")).includes("paris.e2"));
      expect(await tunnelsOf(e1)).toHaveLength(1);
      await nothingInClear(async () => {
        const thrice = ["ping", "-n", "-c", "3", "-i", "0.1", "-W", "0.3"];
        await Promise.all([...c1.podAddresses, c1.address].map((to) => e1.pod.run([...thrice, to])));
      });
    },
    seconds(90),
  );

  test("leaves its peer's pods strangers, who are refused at once and sent nothing in clear", async () => {
    await nothingInClear(async () => {
      for (const from of [e1.pod, e1.host]) {
        for (const to of e2.podAddresses) await refused(from, to);
      }
    });
    // Whatever tries it although there is a route.
    const dropped = async () =>
      Number(
        /packets (\d+)/.exec(await e1.host.output(["nft", "list", "chain", "inet", "selvedge-fabric", "clear"]))?.[1],
      );
    const before = await dropped();
    await nothingInClear(async () => {
      await e1.host.ip(`route add ${e2.podAddresses[0]} via 192.168.1.1 table 220`);
      await e1.pod.run(["ping", "-n", "-c", "2", "-i", "0.1", "-W", "0.3", e2.podAddresses[0]]);
      await e1.host.ip(`route del ${e2.podAddresses[0]} via 192.168.1.1 table 220`);
    });
    expect(await dropped()).toBeGreaterThan(before);
  });

  test("gives way to a pod network of the node's own, as long as that has a route", async () => {
    const [cidr, address] = [e2.podCidrs[0], e2.podAddresses[0]];
    const ping = () => e1.pod.run(["ping", "-n", "-c", "1", "-W", "0.3", address]);
    await e1.host.ip(`route add ${cidr} via 192.168.1.1`);
    const pair = `${e1.podAddresses[0]} . ${address}`;
    // Under its own address: it does not leave the cluster.
    await waitFor("the pod network's way", async () => (await ping()) && (await tap.clear()).includes(pair));
    await e1.host.ip(`route del ${cidr} via 192.168.1.1`);
    await refused(e1.pod, address);
    await tap.forget();
    await nothingInClear(async () => {
      await ping();
    });
  });

  test("is cleaned up with everything else", async () => {
    await agent.stop();
    const { stdout } = await selvedge(e1.host, "cleanup");
    expect(stdout).toContain("nftables table inet selvedge-fabric");
    expect(await e1.host.output(["ip", "rule"])).not.toMatch(/lookup 22[01]/);
    expect(await e1.host.output(["sh", "-c", "ip route show table 220; ip route show table 221"])).toBe("");
  });
});
