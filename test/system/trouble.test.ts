import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { StatusReport } from "../../src/network/agent-report.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import {
  AGENT,
  type AgentOptions,
  backendsOf,
  conditionOf,
  DNS_ADDRESS,
  dig,
  EdgeWorld,
  PODS,
  selvedge,
} from "../support/edge-world.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const HTTP_PORT = 10_560;
/** Pauses between attempts grow; what is put right has to be seen within this. */
const HEALED = { timeout: seconds(20) };

let world: EdgeWorld;
let agent: LabProcess | undefined;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB);
}, seconds(30));
afterEach(async () => {
  await agent?.kill();
  agent = undefined;
  await selvedge(world.edge, "cleanup");
});
afterAll(() => world?.[Symbol.asyncDispose]());

async function start(options: AgentOptions = {}): Promise<LabProcess> {
  agent = await world.startAgent(options);
  return agent;
}

const servicesWork = () =>
  waitFor("the services", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
const namesWork = () => waitFor("the names", async () => (await dig(world.client, "web")) === WEB.clusterIp, HEALED);
const raised = (code: string): Promise<StatusReport["conditions"][number]> =>
  waitFor(code, () => conditionOf(world.edge, code), HEALED);
const cleared = (code: string) =>
  waitFor(`the end of ${code}`, async () => (await conditionOf(world.edge, code)) === undefined, HEALED);
const readyz = async () =>
  (await world.edge.run(["curl", "-s", "-w", " %{http_code}", `http://127.0.0.1:${HTTP_PORT}/readyz?verbose`])).stdout;

describe("a port that another program has", () => {
  test("for names is a condition that says who, services go on, and names come when it is free", async () => {
    const listen = `UDP4-RECVFROM:53,bind=0.0.0.0,fork`;
    const holder = await world.edge.spawn(["socat", listen, "EXEC:cat"], {
      ready: async () => (await world.edge.output(["ss", "-lunH", "sport = :53"])) !== "",
    });
    await start();
    const condition = await raised("DNS_BIND_FAILED");
    expect(condition).toMatchObject({ component: "dns", severity: "failed" });
    expect(condition.message).toContain(`${DNS_ADDRESS} (EADDRINUSE)`);
    expect(condition.hint).toContain("socat");
    await servicesWork();
    expect(await readyz()).toMatch(/\[\+\]service ok\n\[-\]dns failed: DNS_BIND_FAILED.* 503$/s);
    const check = await selvedge(world.edge, "check");
    expect([check.code, check.stdout]).toEqual([3, expect.stringMatching(/DNS_BIND_FAILED\n.*\n?.*socat/)]);

    await holder.kill();
    await namesWork();
    await cleared("DNS_BIND_FAILED");
    expect(await readyz()).toEndWith(" 200");
  });

  test("for probes is a condition, everything else goes on, and they come when it is free", async () => {
    const holder = await world.edge.spawn(["socat", `TCP4-LISTEN:${HTTP_PORT},bind=127.0.0.1,fork`, "EXEC:cat"], {
      ready: async () => (await world.edge.output(["ss", "-ltnH", `sport = :${HTTP_PORT}`])) !== "",
    });
    await start();
    expect(await raised("HTTP_CLOSED")).toMatchObject({
      severity: "degraded",
      hint: expect.stringContaining("ss -ltnp"),
    });
    await servicesWork();
    await namesWork();
    await holder.kill();
    await cleared("HTTP_CLOSED");
    expect(await readyz()).toEndWith(" 200");
  });
});

describe("an agent", () => {
  test("that is the second one on a node ends with 75, and the first one works on", async () => {
    await start();
    const second = await selvedge(world.edge, "run");
    expect(second.code).toBe(75);
    expect(second.stderr).toContain("Cannot start as another agent runs on this node");
    await servicesWork();
    await namesWork();
  });

  test("that was killed leaves a socket that does not keep the next one from starting", async () => {
    await (await start()).kill();
    expect((await selvedge(world.edge, "status")).code).toBe(4);
    await start();
    await namesWork();
  });

  test("without the privilege to change the network says so, and still answers for itself", async () => {
    const argv = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", AGENT, "run"];
    agent = await world.edge.spawn(argv, { ready: /agent\.start/ });
    const { hint } = await raised("SERVICE_LINK_FAILED");
    expect(hint).toContain("CAP_NET_ADMIN");
    expect(await raised("SERVICES_NOT_APPLIED")).toMatchObject({
      severity: "failed",
      hint: expect.stringContaining("CAP_NET_ADMIN"),
    });
    expect(await raised("DNS_BIND_FAILED")).toMatchObject({ severity: "failed" });
    expect(await readyz()).toEndWith(" 503");
    expect(await world.edge.output(["curl", "-s", `http://127.0.0.1:${HTTP_PORT}/livez`])).toBe("ok");
    const check = await world.edge.run([
      "setpriv",
      "--bounding-set=-net_admin",
      "--inh-caps=-net_admin",
      AGENT,
      "check",
      "--pre",
    ]);
    expect([check.code, check.stdout]).toEqual([3, expect.stringContaining("CAP_NET_ADMIN_MISSING")]);
  });
});

describe("the exit status", () => {
  const codeOf = async (words: string) => (await selvedge(world.edge, words)).code;
  const asNobody = async (words: string) =>
    (await world.edge.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", AGENT, ...words.split(" ")]))
      .code;

  test("is 4 where no agent answers", async () => {
    for (const words of ["status", "services", "dns resolve web"])
      expect([words, await codeOf(words)]).toEqual([words, 4]);
    expect(await codeOf("check")).toBe(3);
  });

  test("is 0 where all is well, 3 where something is not", async () => {
    await start({ args: ["--enable-dns=false"] });
    await servicesWork();
    await waitFor("all well", async () => (await codeOf("status")) === 0);
    await world.stopHub();
    await raised("SOURCE_UNREACHABLE");
    // Being cut off is what this program is made for.
    expect(await codeOf("status")).toBe(0);
    await world.startHub();
    await agent?.kill();
    // Documentation's address, where nobody is.
    await start({ args: ["--dns-upstream=192.0.2.53"] });
    await raised("DNS_UPSTREAMS_DOWN");
    for (const words of ["status", "check"]) expect([words, await codeOf(words)]).toEqual([words, 3]);
  });

  test("is 1 where what was asked for is not there, 2 where the question is wrong, 5 where it is not allowed", async () => {
    await start();
    await namesWork();
    const codes = {
      "dns resolve web": 0,
      "dns resolve web.default.svc.cluster.local --type SRV": 0,
      "dns resolve nothing.default.svc.cluster.local": 1,
      services: 0,
      "services web": 0,
      "services nothing": 1,
      "services --namespace empty": 0,
      "dns resolve": 2,
      "status --colour": 2,
      "status -o xml": 2,
      frobnicate: 2,
      version: 0,
    };
    for (const [words, code] of Object.entries(codes)) expect([words, await codeOf(words)]).toEqual([words, code]);
    expect(await asNobody("status")).toBe(5);
    expect(await asNobody("version")).toBe(0);
  });
});
