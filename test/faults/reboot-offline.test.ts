import { afterAll, beforeAll, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import {
  addPods,
  backendsOf,
  conditionOf,
  curl,
  dig,
  EDGE_ADDRESS,
  EdgeWorld,
  HUB_URL,
  PODS,
  ruleset,
  statusOf,
} from "../support/edge-world.ts";
import { numberedObjects, numberedService } from "../support/many-services.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const MANY = 1000;
const LAST = numberedService(MANY - 1);
const WITHIN = { timeout: seconds(5) };

let world: EdgeWorld;
let agent: LabProcess;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB);
  await world.declareObjects("many", numberedObjects(MANY));
  agent = await world.startAgent();
  await waitFor("the last name", async () => (await dig(world.client, LAST.name)) === LAST.clusterIp);
  await waitFor("web", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
  await world.cached(LAST.clusterIp);
  await world.cached(PODS["web-2"]);
}, seconds(60));
afterAll(() => world?.[Symbol.asyncDispose]());

/** How the cloud may be out of reach when a node comes up. */
const ABSENCES: readonly (readonly [string, string, (node: Host) => Promise<unknown>])[] = [
  ["no network at all", "r1", async () => {}],
  [
    "a network on which nobody answers",
    "r2",
    async (node) => node.connect(await world.lab.switch("dark"), { address: `${EDGE_ADDRESS}/24` }),
  ],
  [
    "a machine that knows of no cloud in its place",
    "r3",
    async (node) => {
      const lan = await world.lab.switch("lan");
      await node.connect(lan, { address: `${EDGE_ADDRESS}/24` });
      await (await world.lab.host("stranger")).connect(lan, { address: `${new URL(HUB_URL).hostname}/24` });
    },
  ],
];

test.each(ABSENCES)(
  `after a power cut, with %s, a node has all of ${MANY} services and their names within 5 s of the agent's start`,
  async (_, name, connect) => {
    await agent.kill();
    const node = await world.lab.host(name);
    await connect(node);
    await world.configure(node);
    const client = await addPods(node, `${name}-`);
    expect(await ruleset(node)).toBe("");

    const start = performance.now();
    const since = () => Math.round(performance.now() - start);
    const starting = world.startAgent({ on: node });
    await waitFor("the last name", async () => (await dig(client, LAST.name, "+time=1")) === LAST.clusterIp, WITHIN);
    const named = since();
    await waitFor(
      "the last service",
      async () => (await curl(client, `http://${LAST.clusterIp}/`)).startsWith("web-1"),
      WITHIN,
    );
    console.log(
      // dig gives up after a second and asks anew.
      `from the start of the agent to the first right answer: ${named} ms; to the first connection: ${since()} ms`,
    );
    agent = await starting;
    expect(await backendsOf(client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
    expect(await backendsOf(node, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
    for (const number of [0, MANY >> 1]) {
      const service = numberedService(number);
      expect(await dig(client, service.name)).toBe(service.clusterIp);
      expect(await curl(client, `http://${service.clusterIp}/`)).toStartWith("web-1");
    }
    await waitFor("word of being alone", () => conditionOf(node, "SOURCE_UNREACHABLE"));
    expect(await statusOf(node)).toMatchObject({
      ready: true,
      service: { services: MANY + 1 },
      dns: { names: MANY + 1 },
    });
  },
  seconds(40),
);
