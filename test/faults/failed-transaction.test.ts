import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { Conversation } from "../support/conversation.ts";
import { backendsOf, conditionOf, ECHO_PORT, EdgeWorld, PODS, ruleset } from "../support/edge-world.ts";
import { effort } from "../support/effort.ts";
import { FailingCalls } from "../support/failing-calls.ts";

const ECHO = { name: "echo", clusterIp: "10.96.0.40", endpoints: Object.values(PODS), targetPort: ECHO_PORT };
const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const CHANGING = { name: "changing", clusterIp: "10.96.0.30" };
/** Well before the periodic look, a minute after the last: by trying again. */
const WITHIN = { timeout: seconds(20) };

let world: EdgeWorld;
let agent: LabProcess;
let conversation: Conversation;
let changes = 0;
let refused = 0;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(ECHO, WEB);
  const done = await change();
  agent = await world.startAgent();
  await waitFor("the services", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
  await done();
  conversation = await Conversation.start(world.client, ECHO.clusterIp);
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

const web = async () => (await backendsOf(world.client, WEB.clusterIp)).join();
const nft = (commands: string) => world.edge.output(["nft", commands]);
const notApplied = () => conditionOf(world.edge, "SERVICES_NOT_APPLIED");
const applied = () => waitFor("no complaint", async () => (await notApplied()) === undefined, WITHIN);

/** One change more: another endpoint each time. @returns waits until the kernel has it */
async function change(): Promise<() => Promise<unknown>> {
  const [name, address = ""] = Object.entries(PODS)[changes++ % 2] ?? [];
  await world.declare({ ...CHANGING, endpoints: [address] });
  return () =>
    waitFor("the change", async () => (await backendsOf(world.client, CHANGING.clusterIp)).join() === name, WITHIN);
}

/** What another program breaks makes the agent look at everything, which takes some sixty calls. */
async function damage(): Promise<() => Promise<unknown>> {
  const before = await ruleset(world.edge);
  await nft(`delete element ip selvedge endpoints { ${CHANGING.clusterIp} . tcp . 80 . 0 }`);
  return () => waitFor("our tables as they were", async () => (await ruleset(world.edge)) === before, WITHIN);
}

async function whilePaused<T>(act: () => Promise<T>): Promise<T> {
  using _ = agent.pause();
  return await act();
}

async function survive(rule: string, what: typeof change): Promise<void> {
  await using failing = await FailingCalls.attach(agent, rule);
  const done = await what();
  await waitFor("a call that fails", () => failing.count > 0);
  await done();
  await applied();
  refused += failing.count;
  await conversation.goesOn();
  expect(await web()).toBe("web-1,web-2");
}

/** Calls by their number: one, or a run of them. Spread over all of a comparison, or every single one. */
const ALL = 50;
const SOME = Array.from({ length: ALL }, (_, i) => i + 1).filter((i) => i % effort(13, 1) === 0);

describe("the kernel has it all before the next periodic look, and what worked before never stops, when the kernel refuses", () => {
  test.each([
    ["to take", "sendto:error=ENOBUFS", ["1", "2", "1..2", "1..5"]],
    ["to take, for want of memory,", "sendto:error=ENOMEM", ["1", "2..4"]],
    ["to answer, though it may have made it,", "recvfrom:error=ENOBUFS", ["1", "2", "3", "1..4"]],
  ])(
    "%s a change's transaction",
    async (_, fault, whens) => {
      for (const when of whens) await survive(`${fault}:when=${when}`, change);
      console.log(`changes with calls refused: ${whens.length}, with ${fault}`);
    },
    seconds(120),
  );

  test.each([
    ["to take", "sendto:error=ENOBUFS"],
    ["to answer", "recvfrom:error=ENOBUFS"],
  ])(
    "%s any one of a repair's calls",
    async (_, fault) => {
      for (const call of SOME) await survive(`${fault}:when=${call}`, damage);
      console.log(
        `repairs with a call refused: ${SOME.length}, with ${fault}; all calls refused until now: ${refused}`,
      );
    },
    seconds(effort(120, 600)),
  );
});

test("while the kernel refuses everything the old rules stay untouched and a condition says so; then the change comes", async () => {
  await using failing = await FailingCalls.attach(agent, "sendto:error=ENOBUFS:when=1+");
  const before = await ruleset(world.edge);
  const done = await change();
  const condition = await waitFor("the condition", notApplied);
  expect(condition).toMatchObject({ component: "service", message: expect.stringContaining("ENOBUFS") });
  await waitFor("more attempts", () => failing.count > 3);
  expect(await ruleset(world.edge)).toBe(before);
  await conversation.goesOn();
  expect(await web()).toBe("web-1,web-2");
  await failing.detach();
  await done();
  await applied();
});

test("a change of what another program has just deleted is made all the same", async () => {
  const rounds = effort(5, 100);
  for (let round = 0; round < rounds; round++) {
    await (
      await whilePaused(async () => {
        await nft(`delete element ip selvedge endpoints { ${CHANGING.clusterIp} . tcp . 80 . 0 }`);
        return await change();
      })
    )();
    await applied();
  }
  await conversation.goesOn();
  console.log(`changes of what another program had deleted: ${rounds}, all made`);
});

test(
  "a table of our name that another program owns is left to it, with a condition, until that program ends",
  async () => {
    const mine = "delete table ip selvedge; add table ip selvedge { flags owner; }; add chain ip selvedge theirs";
    // nft keeps its socket, and so the table, for as long as it reads.
    const script = `mkfifo /run/keep; (echo '${mine}'; cat /run/keep) | nft -i`;
    const owner = await world.edge.spawn(["sh", "-c", script], {
      ready: async () => (await ruleset(world.edge)).includes("flags owner"),
    });
    expect((await waitFor("the condition", notApplied)).message).toMatch(/EPERM|EBUSY/);
    expect(await ruleset(world.edge)).toContain("chain theirs");
    await world.edge.output(["sh", "-c", "echo quit >/run/keep"]);
    await owner.exited;
    await waitFor("our own table", async () => (await web()) === "web-1,web-2", { timeout: seconds(35) });
    await applied();
    expect(await ruleset(world.edge)).not.toContain("theirs");
  },
  seconds(90),
);
