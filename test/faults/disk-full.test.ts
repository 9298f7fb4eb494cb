import { afterAll, beforeAll, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, conditionOf, curl, dig, EdgeWorld, PODS, ruleset } from "../support/edge-world.ts";
import { LoopDisk } from "../support/loop-disk.ts";
import { numberedObjects, numberedService } from "../support/many-services.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: [PODS["web-1"]] };
const SMALL_MIB = 4;
/** More than what is free inside files that are there already. */
const MANY = 1000;
const LAST = numberedService(MANY - 1);
/** Of the writer's pauses, 2 s and growing, so many fit into the time in which something is written all the time. */
const COMPLAINTS_MOST = 6;
const SOON = { timeout: seconds(20) };

let world: EdgeWorld;
let disk: LoopDisk;
let args: readonly string[];

beforeAll(async () => {
  world = await EdgeWorld.create();
  disk = await LoopDisk.mount(world.edge, SMALL_MIB);
  args = ["--state-dir", `${disk.path}/state`];
  await world.declare(WEB);
}, seconds(30));
afterAll(async () => {
  await disk?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const works = () =>
  waitFor("the service", async () => (await curl(world.client, `http://${WEB.clusterIp}/`)).startsWith("web-1"), SOON);
const onDisk = (text: string) =>
  waitFor(`${text} on the disk`, async () => (await world.edge.run(["grep", "-rq", text, disk.path])).code === 0, SOON);
const raised = (code: string) => waitFor(code, () => conditionOf(world.edge, code), SOON);
const complaints = (log: string) => log.match(/"cache\.write_failed"|cache\.write_failed/g)?.length ?? 0;

test(
  "a full disk stops nothing, is complained of rarely, never harms the last good state, and is caught up with",
  async () => {
    let agent = await world.startAgent({ args });
    await works();
    await onDisk(WEB.clusterIp);
    await disk.fill();
    const before = performance.now();
    await world.declareObjects("many", numberedObjects(MANY));
    await waitFor("the last in the kernel", async () => (await ruleset(world.edge)).includes(LAST.clusterIp), SOON);
    expect(await raised("CACHE_WRITE_FAILED")).toMatchObject({ component: "cache", severity: "degraded" });
    await waitFor("its name", async () => (await dig(world.client, LAST.name)) === LAST.clusterIp, SOON);

    let changes = 0;
    while (performance.now() - before < seconds(10)) {
      await world.declare({ ...WEB, endpoints: [changes++ % 2 === 0 ? PODS["web-2"] : PODS["web-1"]] });
      const wanted = changes % 2 === 1 ? "web-2" : "web-1";
      await waitFor("the change", async () => (await backendsOf(world.client, WEB.clusterIp)).join() === wanted);
    }
    const told = complaints(agent.log);
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThanOrEqual(COMPLAINTS_MOST);

    // The last good state: a crash now, and a start without cloud from the disk as it is.
    await agent.kill();
    await world.stopHub();
    await world.edge.output(["nft", "flush", "ruleset"]);
    agent = await world.startAgent({ args });
    await works();
    expect(await dig(world.client, "web")).toBe(WEB.clusterIp);
    expect(await conditionOf(world.edge, "CACHE_CORRUPT")).toBeUndefined();

    await world.declare(WEB);
    await world.startHub();
    await waitFor("the cloud's word", async () => (await dig(world.client, LAST.name)) === LAST.clusterIp, SOON);
    await raised("CACHE_WRITE_FAILED");
    await disk.makeRoom();
    const healed = async () => (await conditionOf(world.edge, "CACHE_WRITE_FAILED")) === undefined;
    await waitFor("the end of it", healed, SOON);
    await onDisk(LAST.clusterIp);
    await agent.kill();
    await world.stopHub();
    await world.startAgent({ args });
    expect(await dig(world.client, LAST.name)).toBe(LAST.clusterIp);
    console.log(
      `changes applied on a full disk: ${MANY + changes}; complaints: ${told}; bytes of the last state lost: none`,
    );
  },
  seconds(90),
);
