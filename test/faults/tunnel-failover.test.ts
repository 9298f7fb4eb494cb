import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { CloudNode, EdgeNode } from "../lab/fabric/network.ts";
import type { PlainConnector } from "../lab/plain-connector.ts";
import { waitFor } from "../lab/wait-for.ts";
import { SteadyPing } from "../support/steady-ping.ts";
import { CONNECTOR, POOL, TunnelWorld, tunnelsOf, tunnelUp } from "../support/tunnel-world.ts";

/** What users are promised: a connector is lost, and traffic takes another one. */
const FAILOVER_SECONDS = 3;
/** Long enough for twenty doubts, if every one arose. */
const LOSSY_SECONDS = 12;

let world: TunnelWorld;
let edge: EdgeNode;
let clouds: readonly CloudNode[];
const connectors = new Map<string, PlainConnector>();

beforeAll(async () => {
  world = await TunnelWorld.create({ clouds: 2, edges: 1 });
  edge = world.edge(1);
  clouds = [world.cloud(1), world.cloud(2)];
  for (const node of clouds) connectors.set(node.publicAddress, await world.startPoolConnector(node));
  await world.startEdge(edge, [world.poolEndpoint(...clouds)]);
  await tunnelUp(edge, CONNECTOR);
}, seconds(120));
afterAll(() => world?.[Symbol.asyncDispose]());

async function tunnel() {
  const [found] = await tunnelsOf(edge);
  if (found === undefined) throw new Error("There is no tunnel");
  return found;
}

/** @returns when somebody has answered through the tunnel: before that, silence says nothing */
async function answered(): Promise<void> {
  await waitFor("an answer through the tunnel", async () => (await tunnel()).latencySeconds !== null);
}

async function connectedTo(): Promise<string> {
  return (await tunnel()).ike?.remote.address ?? "";
}

/** Every fifth packet of the tunnel is lost, either way. */
async function withLoss(work: () => Promise<void>): Promise<void> {
  await edge.router.output(["nft", "-f", "-"], {
    input: `table inet loss {
      chain lose { type filter hook forward priority 0; meta l4proto udp numgen random mod 100 < 20 counter drop; }
    }`,
  });
  await work();
  const lost = /packets (\d+)/.exec(await edge.router.output(["nft", "list", "table", "inet", "loss"]))?.[1];
  expect(Number(lost)).toBeGreaterThan(100);
  await edge.router.output(["nft", "delete", "table", "inet", "loss"]);
}

describe("an edge node with two connectors", () => {
  test("uses the first of its ranking", async () => {
    const { addresses } = await tunnel();
    expect([...addresses].sort()).toEqual([...connectors.keys()].sort());
    expect(await connectedTo()).toBe(addresses[0] ?? "");
  });

  test(
    "stays where it is while a fifth of all packets is lost, with traffic both ways and one way",
    async () => {
      await answered();
      const before = (await tunnel()).ike?.uniqueId;
      await withLoss(async () => {
        const both = await SteadyPing.start(edge.pod, POOL.pod);
        await edge.pod.output(["sh", "-c", `timeout ${LOSSY_SECONDS / 2} ping -n -i 0.05 ${POOL.pod} || true`]);
        expect((await both.stop()).lost).toBeGreaterThan(10);
        // UDP that nobody answers: only echo requests tell that the tunnel lives.
        const say = `for i in $(seq 1 ${LOSSY_SECONDS * 5}); do echo x; sleep 0.1; done`;
        await edge.pod.output(["sh", "-c", `${say} | socat -u - UDP-SENDTO:${POOL.pod}:9999`]);
      });
      expect((await tunnel()).ike?.uniqueId).toBe(before ?? Number.NaN);
    },
    seconds(60),
  );

  test(
    "has traffic through the other within three seconds when one is lost",
    async () => {
      await answered();
      const before = await connectedTo();
      const ping = await SteadyPing.start(edge.pod, POOL.pod);
      await connectors.get(before)?.vanish();
      await waitFor("the other", async () => (await connectedTo()) !== before);
      expect((await ping.stop()).longestGapSeconds).toBeLessThan(FAILOVER_SECONDS);
    },
    seconds(30),
  );

  test(
    "comes back to whichever answers when both were lost",
    async () => {
      await answered();
      const last = await connectedTo();
      const first = [...connectors.keys()].find((address) => address !== last) ?? "";
      await connectors.get(last)?.vanish();
      await edge.pod.run(["ping", "-n", "-c", "30", "-i", "0.1", "-W", "0.2", POOL.pod]);
      await connectors.get(first)?.restart();
      await waitFor(
        "the first one again",
        async () => (await connectedTo()) === first && (await tunnel()).state === "up",
        {
          timeout: seconds(40),
        },
      );
      const once = ["ping", "-n", "-c", "1", "-W", "1", POOL.pod];
      await waitFor("an answer", async () => (await edge.pod.run(once)).code === 0);
    },
    seconds(60),
  );
});
