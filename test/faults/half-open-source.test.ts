import { afterAll, beforeAll, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, dig, EdgeWorld, HUB_URL, PODS, statusOf } from "../support/edge-world.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const NEW = { name: "new", clusterIp: "10.96.0.30", endpoints: [PODS["web-2"]] };
const NOTICED_WITHIN = seconds(90);
/** Of three kinds of services and endpoints, of services of several clusters, of the node and its two documents. */
const WATCHES = 7;

let world: EdgeWorld;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB);
  await world.startAgent();
  await waitFor("the services", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

const hubPort = new URL(HUB_URL).port;

/** The agent's ends of its connections to the hub. */
async function flows(): Promise<readonly string[]> {
  const filter = `dport = :${hubPort}`;
  const lines = await world.edge.output(["ss", "--tcp", "--numeric", "--no-header", "state", "established", filter]);
  return lines.match(/(?<=192\.0\.2\.11:)\d+/g) ?? [];
}

/** As a NAT that forgot them: no packet of these connections arrives any more, and nobody says so. */
async function forget(ports: readonly string[]): Promise<void> {
  const set = `{ ${ports.join(", ")} }`;
  const commands = `
    table inet nat-that-forgot {
      chain in { type filter hook input priority 0; tcp sport ${set} tcp dport ${hubPort} counter drop; }
      chain out { type filter hook output priority 0; tcp dport ${set} tcp sport ${hubPort} counter drop; }
    }`;
  await world.cloud.output(["nft", "-f", "-"], { input: commands });
}

test(
  "connections to the source of which every packet is dropped without a word are noticed and replaced within 90 s",
  async () => {
    const dead = await waitFor("all watches", async () => {
      const open = await flows();
      return open.length === WATCHES && open;
    });
    await forget(dead);
    const start = performance.now();
    await world.declare(NEW);
    const timeout = NOTICED_WITHIN;
    await waitFor("the new name", async () => (await dig(world.client, "new")) === NEW.clusterIp, { timeout });
    await waitFor("the new service", async () => (await backendsOf(world.client, NEW.clusterIp)).join() === "web-2");
    console.log(`${dead.length} dead connections replaced ${((performance.now() - start) / 1000).toFixed(1)} s after`);
    expect((await flows()).filter((port) => dead.includes(port))).toEqual([]);
    expect((await statusOf(world.edge)).source.connected).toBeTrue();
    expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
  },
  NOTICED_WITHIN + seconds(20),
);
