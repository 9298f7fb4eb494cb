import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { globalServiceObject } from "../lab/service-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, conditionOf, dig, digName, EdgeWorld, PODS, ruleset, statusOf } from "../support/edge-world.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: [PODS["web-1"], PODS["web-2"]] };
const OLD = { name: "old", clusterIp: "10.96.0.20", endpoints: [PODS["web-1"]] };
const NEW = { name: "new", clusterIp: "10.96.0.30", endpoints: [PODS["web-2"]] };
/** In several clusters; this node has not heard which is its own. */
const FAR = { name: "far.default.svc.global", near: "10.97.0.40", later: "10.97.0.41" };
const BOTH = ["web-1", "web-2"];
/** The agent's pause between two attempts to reach the cloud grows to this at most. */
const BACK_IN_TOUCH = seconds(20);

let world: EdgeWorld;
let agent: LabProcess;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB, OLD);
  await world.declareObjects("far", [
    globalServiceObject("far", { "lyon/default": FAR.near, "oslo/east": "10.98.0.40" }),
  ]);
  agent = await world.startAgent();
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

async function expectEverything(client: Host): Promise<void> {
  expect(await dig(client, "web")).toBe(WEB.clusterIp);
  expect(await dig(client, "old")).toBe(OLD.clusterIp);
  expect(await digName(client, FAR.name)).toBe(FAR.near);
  expect(await backendsOf(client, WEB.clusterIp)).toEqual(BOTH);
  expect(await backendsOf(client, OLD.clusterIp)).toEqual(["web-1"]);
}

const noticed = () => waitFor("the agent alone", () => conditionOf(world.edge, "SOURCE_UNREACHABLE"));
const gone = (code: string) => waitFor(`no ${code}`, async () => (await conditionOf(world.edge, code)) === undefined);

describe("a node whose cloud goes away", () => {
  test("has names and services from the hub while that is there", async () => {
    await waitFor("the services", async () => (await dig(world.client, "old")) === OLD.clusterIp);
    await waitFor("the endpoints", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
    await waitFor("the name in several clusters", async () => (await digName(world.client, FAR.name)) === FAR.near);
    await expectEverything(world.client);
    for (const address of [OLD.clusterIp, FAR.near]) await world.cached(address);
  });

  test("has them with its cable unplugged, and is ready", async () => {
    await world.uplink.unplug();
    await world.stopHub();
    await expectEverything(world.client);
    expect(await world.edge.output(["curl", "-s", "http://127.0.0.1:10560/readyz"])).toBe("ok");
  });

  test("has its services, and no names, when the agent is killed", async () => {
    await agent.kill();
    expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(BOTH);
    expect(await dig(world.client, "web")).toBe("no answer");
  });

  test("has everything again from the cache when the agent is started again", async () => {
    agent = await world.startAgent();
    await expectEverything(world.client);
    expect(await noticed()).toMatchObject({ severity: "info" });
    expect((await statusOf(world.edge)).ready).toBeTrue();
  });

  test(
    "learns, once it is back, what was created, changed and deleted meanwhile",
    async () => {
      await world.remove("old");
      await world.declare(NEW, { ...WEB, endpoints: [PODS["web-2"]] });
      await world.declareObjects("far", [globalServiceObject("far", { lyon: FAR.later })]);
      await world.startHub();
      await expectEverything(world.client);

      await world.uplink.plug();
      await waitFor("the new name", async () => (await dig(world.client, "new")) === NEW.clusterIp, {
        timeout: BACK_IN_TOUCH,
      });
      await waitFor("the new address", async () => (await digName(world.client, FAR.name)) === FAR.later);
      await waitFor("the deletion", async () => (await dig(world.client, "old")) === "NXDOMAIN");
      await waitFor("no rule for it", async () => !(await ruleset(world.edge)).includes(OLD.clusterIp));
      await waitFor("the change", async () => !(await ruleset(world.edge)).includes(PODS["web-1"]));
      expect(await backendsOf(world.client, NEW.clusterIp)).toEqual(["web-2"]);
      expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-2"]);
      await gone("SOURCE_UNREACHABLE");
      expect((await statusOf(world.edge)).source.connected).toBeTrue();
    },
    seconds(60),
  );
});
