import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, conditionOf, dig, EdgeWorld, PODS, selvedge, statusOf } from "../support/edge-world.ts";
import { parsePrometheusText } from "../support/prometheus-text.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const NOTIFY_SOCKET = "/run/notify.sock";

let world: EdgeWorld;
let agent: LabProcess;
/** What stands in for systemd: it prints every datagram. */
let manager: LabProcess;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB);
  manager = await world.edge.spawn(["socat", "-u", `UNIX-RECV:${NOTIFY_SOCKET}`, "STDOUT"], {
    ready: async () => (await world.edge.run(["test", "-S", NOTIFY_SOCKET])).code === 0,
  });
  agent = await world.startAgent({ env: { NOTIFY_SOCKET, WATCHDOG_USEC: "3000000" } });
  await waitFor("the services", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
  await waitFor("the names", async () => (await dig(world.client, "web")) === WEB.clusterIp);
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

async function get(path: string): Promise<Page> {
  const format = "\\n%{http_code} %{content_type}";
  const text = await world.edge.output(["curl", "-s", "-w", format, `http://127.0.0.1:10560${path}`]);
  const [, body = "", status, type = ""] = /^([\s\S]*)\n(\d+) (.*)$/.exec(text) ?? [];
  return { status: Number(status), type, body };
}

const metrics = async () => parsePrometheusText((await get("/metrics")).body);
const metric = async (name: string, labels: object = {}) =>
  (await metrics()).get(name)?.samples.find((sample) => Bun.deepMatch(labels, sample.labels))?.value;

describe("on loopback, the agent serves", () => {
  test("/livez and /readyz as the API server does", async () => {
    expect(await get("/livez")).toMatchObject({ status: 200, body: "ok" });
    expect(await get("/readyz")).toMatchObject({ status: 200, body: "ok" });
    const { body } = await get("/readyz?verbose");
    expect(body.trim().split("\n").sort()).toEqual([
      "[+]cache ok",
      "[+]dns ok",
      "[+]service ok",
      "readyz check passed",
    ]);
  });

  test("/metrics that a strict reader takes, with the values that are so", async () => {
    expect((await get("/metrics")).type).toStartWith("text/plain; version=0.0.4");
    expect((await metrics()).size).toBeGreaterThan(15);
    for (const { name, help } of (await metrics()).values())
      expect([name.slice(0, 9), help]).toEqual(["selvedge_", expect.stringMatching(/\.$/)]);
    expect(await metric("selvedge_cloud_connected")).toBe(1);
    expect(await metric("selvedge_services")).toBe(1);
    expect(await metric("selvedge_endpoints")).toBe(2);
    expect(await metric("selvedge_ready", { component: "dns" })).toBe(1);
    const asked = { rcode: "NOERROR", source: "cluster" };
    const before = (await metric("selvedge_dns_requests_total", asked)) ?? 0;
    await dig(world.client, "web");
    expect(await metric("selvedge_dns_requests_total", asked)).toBe(before + 1);
  });

  test("nothing to other machines, and nothing but GET", async () => {
    const elsewhere = await world.cloud.run(["curl", "-s", "--max-time", "2", "http://192.0.2.11:10560/metrics"]);
    expect(elsewhere).toMatchObject({ stdout: "", code: 7 });
    const posted = [
      "curl",
      "-s",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      "-X",
      "POST",
      "http://127.0.0.1:10560/livez",
    ];
    expect(await world.edge.output(posted)).toBe("405");
  });

  test("the services and names of the control socket to nobody", async () => {
    for (const path of ["/v1/status", "/v1/services", "/v1/resolve?name=web.default.svc.cluster.local"])
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    const mode = await world.edge.output(["stat", "-c", "%a %U", "/run/selvedge/selvedge.sock"]);
    expect(mode).toBe("600 root\n");
  });

  test("200 without the cloud, which the metrics show", async () => {
    await world.stopHub();
    await waitFor("the loss", () => conditionOf(world.edge, "SOURCE_UNREACHABLE"));
    for (const path of ["/livez", "/readyz"]) expect((await get(path)).status).toBe(200);
    expect(await metric("selvedge_cloud_connected")).toBe(0);
    expect(await metric("selvedge_health", { code: "SOURCE_UNREACHABLE", severity: "info" })).toBe(1);
    await world.startHub();
    const back = async () => (await metric("selvedge_cloud_connected")) === 1;
    await waitFor("the cloud in the metrics", back, { timeout: seconds(20) });
  });
});

describe("every document for programs", () => {
  test.each([
    ["status", "Status"],
    ["services", "ServiceList"],
    ["dns resolve web", "Resolution"],
    ["check", "CheckReport"],
    ["config view", "Config"],
    ["cleanup --dry-run", "CleanupReport"],
    ["version", "Version"],
  ])("of %s says its version and kind, and is the same in JSON and YAML", async (words, kind) => {
    const json = JSON.parse((await selvedge(world.edge, `${words} -o json`)).stdout);
    const yaml = Bun.YAML.parse((await selvedge(world.edge, `${words} -o yaml`)).stdout);
    expect(json).toMatchObject({ apiVersion: "selvedge.io/v1", kind });
    expect(shapeOf(yaml)).toEqual(shapeOf(json));
  });

  test("tells what the kernel, DNS and the process are like", async () => {
    const status = await statusOf(world.edge);
    expect(status).toMatchObject({
      ready: true,
      agent: { node: "edge1" },
      source: { type: "hub", connected: true },
      service: { mode: "nftables", services: 1, endpoints: 2 },
      dns: { listening: ["169.254.25.10:53"], names: 1 },
    });
    const { items } = JSON.parse((await selvedge(world.edge, "services web -o json")).stdout);
    const backends: readonly { address: string }[] = items[0].ports[0].backends;
    expect(backends.map(({ address }) => address).sort()).toEqual(Object.values(PODS));
    const { stdout } = await selvedge(world.edge, "dns resolve web -o json");
    const data = [{ type: "A", data: WEB.clusterIp }];
    expect(JSON.parse(stdout)).toMatchObject({ rcode: "NOERROR", from: "cluster", answers: data });
  });
});

/** Names and types: values such as ages differ from one moment to the next. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, shapeOf(field)]));
}

describe("to the service manager, the agent says", () => {
  test("that it is ready, once, and that it lives, again and again", async () => {
    await manager.waitForLog(/READY=1/);
    expect(manager.log.match(/READY=1/g)).toHaveLength(1);
    await waitFor("the third sign of life", () => (manager.log.match(/WATCHDOG=1/g)?.length ?? 0) >= 3);
  });

  test("that it stops", async () => {
    expect(manager.log).not.toContain("STOPPING=1");
    await agent.stop();
    await manager.waitForLog(/STOPPING=1/);
  });
});
