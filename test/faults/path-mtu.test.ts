import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { CloudNode, EdgeNode } from "../lab/fabric/network.ts";
import { waitFor } from "../lab/wait-for.ts";
import { conditionOf } from "../support/edge-world.ts";
import { CONNECTOR, TunnelWorld, tunnelUp } from "../support/tunnel-world.ts";

/** What Debian's strongSwan gives charon's link, unless the path is narrower. */
const ESP_LINK_MTU = 1400;
const TRANSFER_BYTES = 1_000_000;
const TRANSFER_SECONDS = 10;

let world: TunnelWorld;
let edge: EdgeNode;
let cloud: CloudNode;

beforeAll(async () => {
  world = await TunnelWorld.create({ edges: 1 });
  [edge, cloud] = [world.edge(1), world.cloud(1)];
  await world.startConnector(cloud);
  await cloud.pod.spawn(["socat", "-u", "TCP-LISTEN:9000,fork,reuseaddr", "SYSTEM:wc -c >>/run/received"]);
  await world.certify(edge);
  await world.configure(edge, [world.connectorEndpoint(cloud)]);
}, seconds(120));
afterAll(() => world?.[Symbol.asyncDispose]());

/** A path that swallows whatever is larger, without a word. */
async function narrow(mtu: number): Promise<void> {
  await edge.router.output(["nft", "-f", "-"], {
    input: `table inet hole {
      chain swallow {
        type filter hook forward priority 0;
        meta length > ${mtu} counter drop
        icmp type { destination-unreachable, time-exceeded } drop
      }
    }`,
  });
}

async function widen(): Promise<void> {
  await edge.router.output(["nft", "delete", "table", "inet", "hole"]);
}

/** The MTU of the route to the cloud's pods. */
async function routeMtu(): Promise<number> {
  const route = await edge.host.output(["ip", "route", "get", cloud.podAddresses[0]]);
  return Number(/mtu (\d+)/.exec(route)?.[1]);
}

/** The largest packet that came out of the router in a tunnel. */
async function largestOuter(work: () => Promise<unknown>): Promise<number> {
  const sizes = "update @sizes { meta length }";
  await edge.router.output(["nft", "-f", "-"], {
    input: `table inet measure {
      set sizes { typeof meta length; flags dynamic; size 4096; }
      chain out { type filter hook postrouting priority 300; udp dport 4500 ${sizes}; }
    }`,
  });
  await work();
  const listing = await edge.router.output(["nft", "list", "set", "inet", "measure", "sizes"]);
  await edge.router.output(["nft", "delete", "table", "inet", "measure"]);
  const elements = /elements = \{([^}]*)\}/.exec(listing)?.[1] ?? "";
  return Math.max(...elements.split(",").map(Number));
}

async function transfer(): Promise<void> {
  await cloud.pod.run(["rm", "-f", "/run/received"]);
  const send = `head -c ${TRANSFER_BYTES} /dev/zero | timeout ${TRANSFER_SECONDS} socat -u - TCP:${cloud.podAddresses[0]}:9000`;
  await edge.pod.output(["sh", "-c", send]);
  await waitFor("all bytes", async () => Number(await cloud.pod.output(["cat", "/run/received"])) === TRANSFER_BYTES);
}

describe("a path that swallows large packets and the errors about them", () => {
  for (const [mtu, inner] of [
    // 1280 and 1400 less 20 bytes of IPv4, 8 of UDP, 8 of ESP, 8 of IV and 16 of ICV: 1220 and 1340, with 2 of the trailer.
    [1280, 1218],
    [1400, 1338],
  ] as const) {
    test(
      `of more than ${mtu} bytes carries a megabyte`,
      async () => {
        await narrow(mtu);
        // What the test before has taught the pod.
        await edge.pod.ip("route flush cache");
        const started = await world.startCharonAndAgent(edge);
        await tunnelUp(edge, CONNECTOR);
        await waitFor("a smaller route", async () => (await routeMtu()) === inner);
        expect(await conditionOf(edge.host, "TUNNEL_PATH_NARROW")).toMatchObject({ severity: "info" });
        await transfer();
        const answer = await edge.pod.run([
          "ping",
          "-n",
          "-M",
          "do",
          "-c",
          "2",
          "-W",
          "1",
          "-s",
          String(inner - 28),
          cloud.podAddresses[0],
        ]);
        expect(answer.code).toBe(0);
        const tooLarge = await edge.pod.run([
          "ping",
          "-n",
          "-M",
          "do",
          "-c",
          "1",
          "-W",
          "1",
          "-s",
          String(inner - 27),
          cloud.podAddresses[0],
        ]);
        expect(tooLarge.stdout + tooLarge.stderr).toMatch(new RegExp(`mtu ?= ?${inner}`));
        await started.agent.stop();
        await started.charon.stop();
        await widen();
      },
      seconds(60),
    );
  }
});

describe("a path that carries everything", () => {
  test(
    "is used up to what charon's link takes, and what charon sends is as large as was reckoned",
    async () => {
      await edge.pod.ip("route flush cache");
      const { charon } = await world.startCharonAndAgent(edge);
      await tunnelUp(edge, CONNECTOR);
      expect(await routeMtu()).toBe(ESP_LINK_MTU);
      const ping = (inner: number) =>
        edge.pod.output([
          "ping",
          "-n",
          "-M",
          "do",
          "-c",
          "3",
          "-i",
          "0.1",
          "-W",
          "1",
          "-s",
          String(inner - 28),
          cloud.podAddresses[0],
        ]);
      // The outer packet of the largest inner one, and of one that makes the padding begin a block later.
      expect(await charon.swanctl("--list-sas")).toContain("ESP:AES_GCM_16-128");
      expect(await largestOuter(() => ping(ESP_LINK_MTU))).toBe(1464);
      expect(await largestOuter(() => ping(1338))).toBe(1400);
      expect(await largestOuter(() => ping(1339))).toBe(1404);
      expect(await routeMtu()).toBe(ESP_LINK_MTU);
      expect(await conditionOf(edge.host, "TUNNEL_PATH_NARROW")).toBeUndefined();
    },
    seconds(60),
  );
});
