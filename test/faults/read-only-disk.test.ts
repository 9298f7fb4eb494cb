import { afterAll, beforeAll, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, conditionOf, dig, EdgeWorld, PODS, ruleset, selvedge } from "../support/edge-world.ts";
import { LoopDisk } from "../support/loop-disk.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const NEW = { name: "new", clusterIp: "10.96.0.30", endpoints: [PODS["web-2"]] };
const SOON = { timeout: seconds(20) };

let world: EdgeWorld;
let disk: LoopDisk;
let args: readonly string[];

beforeAll(async () => {
  world = await EdgeWorld.create();
  disk = await LoopDisk.mount(world.edge, 4);
  args = ["--state-dir", `${disk.path}/state`];
  await world.declare(WEB);
}, seconds(30));
afterAll(async () => {
  await disk?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const works = () =>
  waitFor("the service", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2, SOON);
const onDisk = (text: string) =>
  waitFor(`${text} on the disk`, async () => (await world.edge.run(["grep", "-rq", text, disk.path])).code === 0, SOON);
const healed = () =>
  waitFor("health", async () => (await conditionOf(world.edge, "CACHE_WRITE_FAILED")) === undefined, SOON);
const readyz = async () =>
  (await world.edge.run(["curl", "-s", "-w", " %{http_code}", "http://127.0.0.1:10560/readyz"])).stdout;

test(
  "a disk that becomes read-only stops nothing and is a condition, also over a crash, and is written when it can be",
  async () => {
    let agent = await world.startAgent({ args });
    await works();
    await onDisk(WEB.clusterIp);
    // As ext4 does on an I/O error, while files are open for writing.
    await disk.remount("abort");
    await waitFor("a disk that refuses", async () => (await world.edge.run(["touch", `${disk.path}/x`])).code !== 0);
    await world.declare(NEW);
    await waitFor("a change", async () => (await backendsOf(world.client, NEW.clusterIp)).join() === "web-2", SOON);
    const condition = await waitFor("the condition", () => conditionOf(world.edge, "CACHE_WRITE_FAILED"), SOON);
    expect(condition).toMatchObject({ component: "cache", severity: "degraded" });
    expect((await selvedge(world.edge, "check")).stdout).toContain("CACHE_WRITE_FAILED");
    expect(await readyz()).toBe("ok 200");

    await agent.kill();
    await world.stopHub();
    await world.edge.output(["nft", "flush", "ruleset"]);
    agent = await world.startAgent({ args });
    await works();
    expect(await dig(world.client, "web")).toBe(WEB.clusterIp);

    await world.startHub();
    await waitFor("the cloud's word", async () => (await dig(world.client, "new")) === NEW.clusterIp, SOON);
    await waitFor("the condition again", () => conditionOf(world.edge, "CACHE_WRITE_FAILED"), SOON);
    await world.edge.output(["umount", "--lazy", disk.path]);
    await world.edge.output(["mount", "-o", "loop", disk.image, disk.path]);
    await healed();
    await onDisk(NEW.clusterIp);
    await agent.kill();
    await world.stopHub();
    await world.startAgent({ args });
    expect(await dig(world.client, "new")).toBe(NEW.clusterIp);
    expect(await ruleset(world.edge)).toContain(NEW.clusterIp);
    console.log("changes applied on a read-only disk: all; bytes of the last state lost: none");
  },
  seconds(90),
);

test(
  "a node whose disk was read-only from the start serves from memory, and writes when it can",
  async () => {
    await using own = await EdgeWorld.create();
    await using bare = await LoopDisk.mount(own.edge, 4);
    await bare.remount("ro");
    await own.declare(WEB);
    await own.startAgent({ args: ["--state-dir", `${bare.path}/state`] });
    await waitFor("the service", async () => (await backendsOf(own.client, WEB.clusterIp)).length === 2, SOON);
    await waitFor("the condition", () => conditionOf(own.edge, "CACHE_WRITE_FAILED"), SOON);
    await bare.remount("rw");
    await waitFor("health", async () => (await conditionOf(own.edge, "CACHE_WRITE_FAILED")) === undefined, SOON);
    const grep = ["grep", "-rq", WEB.clusterIp, bare.path];
    await waitFor("the service on the disk", async () => (await own.edge.run(grep)).code === 0, SOON);
  },
  seconds(60),
);
