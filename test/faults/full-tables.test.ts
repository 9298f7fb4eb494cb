import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { Conversation } from "../support/conversation.ts";
import { backendsOf, conditionOf, dig, ECHO_PORT, EdgeWorld, PODS, ruleset, selvedge } from "../support/edge-world.ts";

const ECHO = { name: "echo", clusterIp: "10.96.0.40", endpoints: Object.values(PODS), targetPort: ECHO_PORT };
const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const NEW = { name: "new", clusterIp: "10.96.0.30", endpoints: [PODS["web-2"]] };
/** Of all: what is left is gone with the next burst (conntrack-use.ts). */
const NEARLY_FULL = 0.96;

let world: EdgeWorld;
let agent: LabProcess;
let conversation: Conversation;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(ECHO, WEB);
  agent = await world.startAgent();
  await waitFor("the services", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
  conversation = await Conversation.start(world.client, ECHO.clusterIp);
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

const sysctl = async (name: string) => Number(await world.edge.output(["cat", `/proc/sys/net/netfilter/${name}`]));
const condition = () => conditionOf(world.edge, "CONNTRACK_FULL");

/** Connections that stand, as far as the kernel knows: it gives up none of them for a new one. */
async function connections(from: number, to: number): Promise<void> {
  const lines = Array.from({ length: to - from }, (_, i) => {
    const [address, port] = [`10.9.${(from + i) & 0xff}.1`, 1024 + ((from + i) >> 8)];
    const forth = `-s ${address} -d 10.8.0.1 --sport ${port} --dport 80`;
    const back = `-r 10.8.0.1 -q ${address} --reply-port-src 80 --reply-port-dst ${port}`;
    return `-I -p tcp ${forth} ${back} -t 600 --state ESTABLISHED -u SEEN_REPLY,ASSURED\n`;
  });
  // Where there is no room any more, it ends with an error.
  await world.edge.run(["conntrack", "--load-file", "-"], { input: lines.join(""), timeout: seconds(60) });
}

/** It looks once a minute, and whenever a link changes. */
const makeItLook = () => world.edge.ip("address add 198.51.100.77/32 dev lo", "address delete 198.51.100.77/32 dev lo");

describe("a table of connections", () => {
  test(
    "that is nearly full is a condition that says so, while everything works",
    async () => {
      expect(await condition()).toBeUndefined();
      const most = await sysctl("nf_conntrack_max");
      await connections(0, Math.ceil(NEARLY_FULL * most));
      const count = await sysctl("nf_conntrack_count");
      expect(count).toBeGreaterThan(0.95 * most);
      await makeItLook();
      const raised = await waitFor("the condition", condition);
      expect(raised).toMatchObject({ component: "service", severity: "degraded" });
      expect(raised.message).toContain(`of ${most} are taken`);
      expect(raised.hint).toContain("nf_conntrack_max");
      expect(await dig(world.client, WEB.name)).toBe(WEB.clusterIp);
      expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
      console.log(`${count} of ${most} connections`);
    },
    seconds(60),
  );

  test(
    "that is full costs new connections and nothing else: those that stand go on, pods have names, and the agent follows its source",
    async () => {
      const most = await sysctl("nf_conntrack_max");
      await connections(Math.ceil(NEARLY_FULL * most), most + 100);
      await waitFor("no new connection", async () => {
        await connections(most + 100, most + 200);
        return (await world.client.run(["curl", "-s", "--max-time", "1", `http://${WEB.clusterIp}/`])).code !== 0;
      });
      await conversation.goesOn();
      expect(await dig(world.client, WEB.name)).toBe(WEB.clusterIp);
      expect(await dig(world.client, WEB.name, "+tcp")).toBe(WEB.clusterIp);
      await world.declare(NEW);
      await waitFor("the change in the kernel", async () => (await ruleset(world.edge)).includes(NEW.clusterIp));
      expect((await selvedge(world.edge, "dns resolve new")).stdout).toContain(NEW.clusterIp);
      expect(agent.running).toBeTrue();
      expect(await condition()).toBeDefined();
    },
    seconds(60),
  );

  test(
    "that has room again is no condition any more, and everything works",
    async () => {
      await world.edge.run(["conntrack", "-D", "-d", "10.8.0.1"], { timeout: seconds(60) });
      await makeItLook();
      await waitFor("the end of the condition", async () => (await condition()) === undefined);
      await conversation.goesOn();
      await waitFor("the new service", async () => (await backendsOf(world.client, NEW.clusterIp)).join() === "web-2");
      expect(await dig(world.client, WEB.name)).toBe(WEB.clusterIp);
    },
    seconds(60),
  );
});
