import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { seconds } from "../../src/base/duration.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { Conversation } from "../support/conversation.ts";
import {
  AGENT,
  backendsOf,
  conditionOf,
  curl,
  DNS_ADDRESS,
  dig,
  ECHO_PORT,
  EdgeWorld,
  PODS,
} from "../support/edge-world.ts";
import { processorSeconds } from "../support/process-time.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: [PODS["web-1"]] };
const NEW = { name: "new", clusterIp: "10.96.0.30", endpoints: [PODS["web-2"]] };
const ECHO = { name: "echo", clusterIp: "10.96.0.40", endpoints: Object.values(PODS), targetPort: ECHO_PORT };
const DESCRIPTORS = 160;
/** Each a connection of a service, held without a word: twice as many descriptors as there are. */
const HELD = 160;
/** More than are free when the limit is set to what is open: a few of the runtime's own may be closed then. */
const CALLERS = 64;
const SOON = { timeout: seconds(30) };

/** Opens connections to $1 port $2, one after the other, whatever comes of each, and holds what it has. */
const HOLD = `
for number in $(seq "$3"); do exec {fd}<>"/dev/tcp/$1/$2"; done 2>/dev/null
echo held
sleep infinity`;

const hold = (world: EdgeWorld, address: string, port: number, count: number) =>
  world.client.spawn(["bash", "-c", HOLD, "bash", address, String(port), String(count)], { ready: /held/, ...SOON });

/** Connections to the name server that are established, and not accepted yet. */
async function waitingCallers({ edge }: EdgeWorld): Promise<number> {
  const listening = await edge.output(["ss", "--listening", "--tcp", "--numeric", "--no-header", "src", DNS_ADDRESS]);
  return Number(/^LISTEN\s+(\d+)/.exec(listening)?.[1]);
}

const descriptorsOf = ({ pid }: LabProcess) => readdirSync(`/proc/${pid}/fd`).length;

describe("services in user space with few descriptors", () => {
  let world: EdgeWorld;
  let agent: LabProcess;

  beforeAll(async () => {
    world = await EdgeWorld.create();
    await world.declare(WEB, ECHO);
    const argv = ["prlimit", `--nofile=${DESCRIPTORS}`, AGENT, "run", "--proxy-mode=userspace"];
    agent = await world.edge.spawn(argv, { ready: /agent\.ready/ });
    await waitFor("the service", async () => (await backendsOf(world.client, WEB.clusterIp)).join() === "web-1");
  }, seconds(30));
  afterAll(() => world?.[Symbol.asyncDispose]());

  test(
    "names go on while connections take all that they may, and idle ones make room for new ones, and for no others",
    async () => {
      const talk = await Conversation.start(world.client, ECHO.clusterIp);
      await hold(world, ECHO.clusterIp, 80, HELD);
      expect(descriptorsOf(agent)).toBeLessThan(DESCRIPTORS);
      const spentBefore = processorSeconds(agent.pid);
      const start = performance.now();
      for (const transport of ["+notcp", "+tcp"]) {
        const name = "web.default.svc.cluster.local";
        const answer = await world.client.output(["dig", transport, "+short", `@${DNS_ADDRESS}`, name]);
        expect(answer.trim()).toBe(WEB.clusterIp);
      }
      await waitFor(
        "a new connection",
        async () => (await curl(world.client, `http://${WEB.clusterIp}`)).startsWith("web-1"),
        SOON,
      );
      await talk.goesOn();
      const condition = await waitFor("a word of it", () => conditionOf(world.edge, "SERVICE_LIMIT_REACHED"), SOON);
      expect(condition).toMatchObject({ severity: "degraded", message: expect.stringContaining("idle for longest") });
      const share = (1000 * (processorSeconds(agent.pid) - spentBefore)) / (performance.now() - start);
      expect(share).toBeLessThan(0.5);
      console.log(
        `${HELD} idle connections held with ${DESCRIPTORS} descriptors; answers of names lost: none; busy connections closed: none`,
      );
    },
    seconds(90),
  );
});

describe("an agent without one descriptor more", () => {
  let world: EdgeWorld;
  let agent: LabProcess;

  beforeAll(async () => {
    world = await EdgeWorld.create();
    await world.declare(WEB);
    agent = await world.startAgent();
    await waitFor("the service", async () => (await backendsOf(world.client, WEB.clusterIp)).join() === "web-1");
  }, seconds(30));
  afterAll(() => world?.[Symbol.asyncDispose]());

  test(
    "sends callers away, answers for names, carries services and learns of changes, and is whole again with more",
    async () => {
      // The soft limit, which can be raised again.
      const limit = (descriptors: number) =>
        world.edge.output(["prlimit", `--nofile=${descriptors}:`, "--pid", agentPid()]);
      const agentPid = () => /NSpid:.*\t(\d+)$/m.exec(readFileSync(`/proc/${agent.pid}/status`, "latin1"))?.[1] ?? "";
      await limit(descriptorsOf(agent));
      // Takes whatever is free, and waits in line for more.
      const holder = await hold(world, DNS_ADDRESS, 53, CALLERS);
      // While somebody waits whom it has no descriptor for, the runtime asks for them without a pause.
      await waitFor("nobody in line", async () => (await waitingCallers(world)) === 0, SOON);
      const spentBefore = processorSeconds(agent.pid);
      const start = performance.now();
      expect(await dig(world.client, "web")).toBe(WEB.clusterIp);
      expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-1"]);
      await world.declare(NEW);
      await waitFor("the new name", async () => (await dig(world.client, "new")) === NEW.clusterIp);
      await waitFor("the new service", async () => (await backendsOf(world.client, NEW.clusterIp)).join() === "web-2");
      const share = (1000 * (processorSeconds(agent.pid) - spentBefore)) / (performance.now() - start);
      console.log(`of a processor without one descriptor more: ${Math.round(100 * share)} %`);
      expect(share).toBeLessThan(0.5);
      expect(await waitingCallers(world)).toBe(0);
      expect(agent.running).toBeTrue();

      await holder.kill();
      await limit(1024);
      await world.cached(NEW.clusterIp);
      const name = "new.default.svc.cluster.local";
      const overTcp = ["dig", "+tcp", "+short", "+time=2", "+tries=1", `@${DNS_ADDRESS}`, name];
      await waitFor(
        "names over TCP",
        async () => (await world.client.run(overTcp)).stdout.trim() === NEW.clusterIp,
        SOON,
      );
      await waitFor(
        "its own word",
        async () => (await conditionOf(world.edge, "CACHE_WRITE_FAILED")) === undefined,
        SOON,
      );
    },
    seconds(90),
  );
});
