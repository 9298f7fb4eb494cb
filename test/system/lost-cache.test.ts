import { expect, test } from "bun:test";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, conditionOf, dig, EdgeWorld, PODS, statusOf } from "../support/edge-world.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: [PODS["web-1"], PODS["web-2"]] };
const OLD = { name: "old", clusterIp: "10.96.0.20", endpoints: [PODS["web-1"]] };
const BOTH = ["web-1", "web-2"];

test(
  "an agent that lost its cache keeps the kernel's services until the cloud has spoken, and then exactly the cloud's",
  async () => {
    await using world = await EdgeWorld.create();
    await world.declare(WEB, OLD);
    const agent = await world.startAgent();
    await waitFor("the services", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
    await waitFor("the names", async () => (await dig(world.client, "old")) === OLD.clusterIp);
    await agent.kill();
    await world.stopHub();
    await world.remove("old");
    for (const file of readdirSync(world.stateDir)) rmSync(join(world.stateDir, file), { recursive: true });

    await world.startAgent();
    expect(await conditionOf(world.edge, "SERVICES_KEPT")).toMatchObject({ severity: "info" });
    expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(BOTH);
    expect(await backendsOf(world.client, OLD.clusterIp)).toEqual(["web-1"]);

    await world.startHub();
    await waitFor("the cloud's word", async () => (await statusOf(world.edge)).service.services === 1, {
      timeout: seconds(20),
    });
    expect(await conditionOf(world.edge, "SERVICES_KEPT")).toBeUndefined();
    expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(BOTH);
    expect(await backendsOf(world.client, OLD.clusterIp)).toEqual(["nobody"]);
  },
  seconds(60),
);
