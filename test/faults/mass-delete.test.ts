import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, conditionOf, dig, EdgeWorld, objectsOf, PODS, ruleset } from "../support/edge-world.ts";
import { KernelChanges } from "../support/kernel-changes.ts";
import { numberedObjects, numberedService } from "../support/many-services.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: [PODS["web-2"]] };
/** With web more than the 20 objects of which a half may go unasked. */
const MANY = 30;
const LAST = numberedService(MANY - 1);
/** The agent's pause between two attempts to reach the cloud grows to this at most. */
const BACK_IN_TOUCH = { timeout: seconds(20) };

let world: EdgeWorld;
let changes: KernelChanges;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB);
  await world.declareObjects("many", numberedObjects(MANY));
  await world.startAgent();
  await works();
  changes = await KernelChanges.watch(world.edge);
}, seconds(40));
afterAll(() => world?.[Symbol.asyncDispose]());

async function works(): Promise<void> {
  await waitFor("every name", async () => (await dig(world.client, LAST.name)) === LAST.clusterIp, BACK_IN_TOUCH);
  await waitFor("every service", async () => (await ruleset(world.edge)).includes(LAST.clusterIp));
  await waitFor("web", async () => (await backendsOf(world.client, WEB.clusterIp)).join() === "web-2");
}

/** The cloud comes back with another opinion, as after a restore from a backup, or with an empty store. */
async function cloudForgets(...files: readonly string[]): Promise<void> {
  await world.stopHub();
  await waitFor("the agent alone", () => conditionOf(world.edge, "SOURCE_UNREACHABLE"));
  await world.remove(...files);
  await world.startHub();
}

const doubted = () => waitFor("the doubt", () => conditionOf(world.edge, "DELETIONS_HELD"), BACK_IN_TOUCH);
const settled = () =>
  waitFor("no doubt", async () => (await conditionOf(world.edge, "DELETIONS_HELD")) === undefined, BACK_IN_TOUCH);

describe("a list that lacks too much", () => {
  test(
    "once, and then is whole again, changes nothing in the kernel and no name",
    async () => {
      const before = await changes.seen();
      await cloudForgets("web", "many");
      expect((await doubted()).message).toMatch(/that 31 of 31 \w+ objects are gone/);
      await works();
      await world.declare(WEB);
      await world.declareObjects("many", numberedObjects(MANY));
      await settled();
      await works();
      expect(await changes.seen()).toEqual(before);
      console.log("wrong empty lists believed: none; services lost: none of 31; changes of the kernel: none");
    },
    seconds(60),
  );

  test(
    "of more than half is believed when a second list confirms it, and only what it lacks goes",
    async () => {
      await cloudForgets("many");
      await doubted();
      await works();
      await waitFor("the second word", async () => (await dig(world.client, LAST.name)) === "NXDOMAIN", BACK_IN_TOUCH);
      await waitFor("no rule for it", async () => !(await ruleset(world.edge)).includes(LAST.clusterIp));
      await settled();
      expect(await dig(world.client, "web")).toBe(WEB.clusterIp);
      expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-2"]);
    },
    seconds(60),
  );

  test(
    "of everything is believed when a second list confirms it",
    async () => {
      await cloudForgets("web");
      await doubted();
      expect(await dig(world.client, "web")).toBe(WEB.clusterIp);
      expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-2"]);
      await waitFor("the second word", async () => (await dig(world.client, "web")) === "NXDOMAIN", BACK_IN_TOUCH);
      await waitFor("no rule for it", async () => !(await ruleset(world.edge)).includes(WEB.clusterIp));
      await settled();
    },
    seconds(60),
  );
});

test(
  "deletions that are told one by one are believed at once, however many",
  async () => {
    await world.declareObjects("many", [...numberedObjects(MANY), ...objectsOf(WEB)]);
    await works();
    await world.remove("many");
    await waitFor("no name", async () => (await dig(world.client, LAST.name)) === "NXDOMAIN");
    await waitFor("no rule", async () => !(await ruleset(world.edge)).includes(LAST.clusterIp));
    expect(await conditionOf(world.edge, "DELETIONS_HELD")).toBeUndefined();
  },
  seconds(60),
);
