import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import {
  backendsOf,
  conditionOf,
  curl,
  dig,
  EdgeWorld,
  objectsOf,
  PODS,
  ruleset,
  selvedge,
  statusOf,
} from "../support/edge-world.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const EMPTY = { name: "empty", clusterIp: "10.96.0.60", endpoints: [] };
const UDP = { name: "udp", clusterIp: "10.96.0.70", endpoints: Object.values(PODS) };
const NODE_PORT = 30_080;

let world: EdgeWorld;
let agent: LabProcess;

beforeAll(async () => {
  world = await EdgeWorld.create();
  const [service, slice] = objectsOf(WEB);
  const ports = [{ name: "http", protocol: "TCP", port: 80, targetPort: 8080, nodePort: NODE_PORT }];
  const spec = { type: "NodePort", clusterIP: WEB.clusterIp, clusterIPs: [WEB.clusterIp], ports };
  if (service === undefined || slice === undefined) throw new Error("Cannot describe a service");
  await world.declareObjects("web", [{ ...service, spec }, slice]);
  await world.declareObjects("udp", JSON.parse(JSON.stringify(objectsOf(UDP)).replaceAll('"TCP"', '"UDP"')));
  await world.declare(EMPTY);
  agent = await world.startAgent({ args: ["--proxy-mode=userspace"] });
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

const addresses = () => world.edge.output(["ip", "-o", "-4", "address", "show", "dev", "fabedge-dummy0"]);

describe("a node that carries services in user space", () => {
  test("answers services and names like any other, for pods and for itself", async () => {
    await waitFor("the services", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
    await waitFor("the name", async () => (await dig(world.client, "web")) === WEB.clusterIp);
    for (const host of [world.client, world.edge])
      expect(await backendsOf(host, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
  });

  test("needs no nftables for it, but addresses and listeners", async () => {
    expect(await ruleset(world.edge)).toBe("");
    expect(await addresses()).toContain(`inet ${WEB.clusterIp}/32`);
    const listeners = await world.edge.output(["ss", "-ltnpH", `src = ${WEB.clusterIp}:80`]);
    expect(listeners).toContain("selvedge");
  });

  test("says which mode it is and why", async () => {
    expect((await statusOf(world.edge)).service).toMatchObject({ mode: "userspace", reason: "--proxy-mode=userspace" });
    expect((await selvedge(world.edge, "status")).stdout).toMatch(
      /^Services .* by userspace \(--proxy-mode=userspace\)$/m,
    );
    expect(await conditionOf(world.edge, "PROXY_MODE_USERSPACE")).toBeUndefined();
  });

  test("carries UDP too", async () => {
    const ask = ["socat", "-T1", "-", `UDP4:${UDP.clusterIp}:80`];
    const answers = new Set<string>();
    await waitFor("answers of both", async () => {
      answers.add((await world.client.output(ask, { input: "who\n" })).trim());
      return answers.has("web-1") && answers.has("web-2");
    });
  });

  test("serves node ports to other machines", async () => {
    expect(await curl(world.cloud, `http://192.0.2.11:${NODE_PORT}/`)).toStartWith("web-");
  });

  test("refuses at once where there are no endpoints", async () => {
    expect(await curl(world.client, `http://${EMPTY.clusterIp}/`)).toBe("curl exits 7");
  });

  test("follows endpoints, and takes the address of a deleted service away", async () => {
    await world.declare({ ...WEB, endpoints: [PODS["web-2"]] });
    await waitFor("the change", async () => Bun.deepEquals(await backendsOf(world.client, WEB.clusterIp), ["web-2"]));
    await world.remove("web");
    await waitFor("the end of the address", async () => !(await addresses()).includes(`${WEB.clusterIp}/32`));
    await world.declare(WEB);
    await waitFor("it back", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
  });

  test("comes from its cache after it was killed, and leaves nothing behind after cleanup", async () => {
    await world.cached(WEB.clusterIp);
    await agent.kill();
    await world.uplink.unplug();
    agent = await world.startAgent({ args: ["--proxy-mode=userspace"] });
    await waitFor("the services", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
    await agent.stop();
    expect((await selvedge(world.edge, "cleanup")).stdout).toBe("removed link fabedge-dummy0\n");
    expect(await world.edge.output(["ip", "-o", "link", "show", "type", "dummy"])).toBe("");
  });
});

test("a change of mode leaves nothing of the other mode in the way", async () => {
  agent = await world.startAgent({ args: ["--proxy-mode=nftables"] });
  await waitFor("nftables", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
  expect(await addresses()).not.toContain(WEB.clusterIp);
  await agent.stop();
  agent = await world.startAgent({ args: ["--proxy-mode=userspace"] });
  await waitFor("user space", async () => (await addresses()).includes(WEB.clusterIp));
  expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
  expect(await ruleset(world.edge)).toBe("");
});
