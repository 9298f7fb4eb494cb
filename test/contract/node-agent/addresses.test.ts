import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Host } from "../../lab/host.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { CloudWorld, claimOf, EDGE_POD, EDGE_POD6, untilRoutes } from "../../support/cloud-world.ts";

const PORT = 8080;
const NODE_PORT = 30080;

/** Says to whoever connects which address it has seen. */
const WHO = `Bun.listen({ hostname: "::", port: ${PORT}, socket: { data() {}, open(s) { s.end(s.remoteAddress + "\\n"); } } });
console.log("listening");`;

/** @returns which address the other side sees; undefined when it does not answer */
async function seenFrom(client: Host, address: string, port = PORT): Promise<string | undefined> {
  const read = `exec 3<>/dev/tcp/${address}/${port} && timeout 2 cat <&3`;
  const { stdout, code } = await client.run(["timeout", "3", "bash", "-c", read]);
  return code === 0 ? stdout.trim().replace("::ffff:", "") : undefined;
}

/** What a pod network does with packets that leave it, and kube-proxy with those that it has marked (mode nftables). */
const MASQUERADES = `
  table ip pods {
    chain out {
      type nat hook postrouting priority 100;
      ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 masquerade;
    }
  }
  table ip6 pods {
    chain out {
      type nat hook postrouting priority 100;
      ip6 saddr fd00:10:244::/48 ip6 daddr != fd00:10:244::/48 masquerade;
    }
  }
  table ip proxy {
    chain in {
      type nat hook prerouting priority -100;
      tcp dport ${NODE_PORT} meta mark set mark or 0x4000 dnat to ${EDGE_POD}:${PORT};
    }
    chain out {
      type nat hook postrouting priority 100;
      mark & 0x4000 != 0 masquerade;
    }
  }
`;

describe("addresses between pods of the cloud and of edges", () => {
  let world: CloudWorld;
  beforeAll(async () => {
    world = await CloudWorld.create("flannel host-gw");
    await world.tunnel(world.c1);
    await world.n1.host.output(["nft", "-f", "-"], { input: MASQUERADES });
    await world.edgePod.spawn([process.execPath, "-e", WHO], { ready: /listening/ });
    await world.n1.pod.spawn([process.execPath, "-e", WHO], { ready: /listening/ });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("are the pods' own, although the pod network masquerades what leaves it", async () => {
    // Without the node-agent's table they are not: the test would see it.
    await world.n1.host.ip("route add 10.99.1.0/24 via 10.0.0.2");
    expect(await seenFrom(world.n1.pod, EDGE_POD)).toBe("10.0.0.1");
    await world.n1.host.ip("route del 10.99.1.0/24 via 10.0.0.2");
    await world.publish(world.c1, [claimOf(1)]);
    await world.agent();
    await waitFor(
      "the pod's own address",
      async () => (await seenFrom(world.n1.pod, EDGE_POD)) === world.n1.podAddress,
    );
    expect(await seenFrom(world.n1.pod, EDGE_POD6)).toBe(world.n1.podAddress6);
    expect(await seenFrom(world.edgePod, world.n1.podAddress)).toBe(EDGE_POD);
    expect(await seenFrom(world.edgePod, world.n1.podAddress6)).toBe(EDGE_POD6);
  });

  test("are the node's for connections to its node ports, whose answers have to pass it again", async () => {
    expect(await seenFrom(world.c2.host, "10.0.0.1", NODE_PORT)).toBe("10.0.0.1");
  });

  test("stay so over a connector's change", async () => {
    await world.tunnel(world.c2);
    await world.publish(world.c2, [claimOf(2)]);
    await untilRoutes(world.n1.host, 4, [
      "10.99.1.0/24 via 10.0.0.3 dev eth0 proto 83",
      "unreachable 10.99.1.0/24 proto 83 metric 4278198272",
    ]);
    expect(await seenFrom(world.n1.pod, EDGE_POD)).toBe(world.n1.podAddress);
  });

  test("another program that drops what is forwarded is named, until it lets edges' packets pass both ways", async () => {
    const { host } = world.n1;
    const isNamed = async () => (await world.metrics()).includes('code="FORWARD_DROPPED"');
    const drop = "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }\n}";
    await host.output(["nft", "-f", "-"], { input: drop });
    // Seen with the next look at the whole kernel.
    await host.ip("rule add pref 500 lookup 99");
    await waitFor("the condition", isNamed);
    for (const way of ["saddr", "daddr"]) {
      await host.output(["nft", "add", "rule", "ip", "filter", "FORWARD", "ip", way, "10.99.0.0/16", "accept"]);
    }
    await host.ip("rule del pref 500 lookup 99");
    await waitFor("no condition", async () => !(await isNamed()));
  });

  test("the table is what nft lists, in FabEdge's names", async () => {
    const text = await world.n1.host.output(["nft", "list", "table", "inet", "selvedge-fabric"]);
    expect(text).toMatch(/set FABEDGE-REMOTE-POD-CIDR \{[^}]*elements = \{ 10\.99\.1\.0\/24 \}/);
    expect(text).toMatch(/set FABEDGE-REMOTE-POD-CIDR6 \{[^}]*elements = \{ fd00:99:1::\/64 \}/);
    expect(text).toContain("meta mark & 0x00004000 == 0x00004000 accept");
    expect(text).toContain("ip daddr @FABEDGE-REMOTE-POD-CIDR snat ip to ip saddr");
  });
});
