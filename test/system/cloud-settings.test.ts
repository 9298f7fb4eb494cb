import { afterAll, beforeAll, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { EXIT } from "../../src/cli/exit-code.ts";
import { globalServiceObject } from "../lab/service-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { DNS_ADDRESS, digName, EDGE_ADDRESS, EdgeWorld, PODS, selvedge, statusOf } from "../support/edge-world.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const [OWN, ELSEWHERE] = ["10.96.7.1", "10.97.7.1"];
/** That somebody is there who starts the agent again: the test. */
const SUPERVISED = { NOTIFY_SOCKET: "/run/notify.sock" };
const FROM = "config.yaml of ConfigMap fabedge/fabedge-agent-config-edge1";

let world: EdgeWorld;

beforeAll(async () => {
  world = await EdgeWorld.create({ plan: true });
  await world.declare(WEB);
  await world.declareObjects("global", [
    globalServiceObject("web", { "paris/sud/fr": OWN, "lyon/nord/fr": ELSEWHERE }),
    globalServiceObject("zonal", { "lille/nord/fr": OWN, "lyon/sud/fr": ELSEWHERE }),
  ]);
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

function node(annotations: Readonly<Record<string, string>>) {
  const labels = { "node-role.kubernetes.io/edge": "" };
  return {
    ...{ apiVersion: "v1", kind: "Node", metadata: { name: "edge1", labels, annotations } },
    spec: { podCIDRs: ["10.244.1.0/24"] },
    status: { addresses: [{ type: "InternalIP", address: EDGE_ADDRESS }] },
  };
}

async function origins(): Promise<ReadonlyMap<string, readonly [unknown, string, string]>> {
  const { stdout, stderr } = await selvedge(world.edge, "config view -o json");
  expect(stderr).toContain(`Ignored "source-url" of ${FROM}: only the node itself decides it.`);
  const { settings } = JSON.parse(stdout);
  return new Map(
    settings.map((setting: { name: string; value: unknown; from: string; at: string }) => [
      setting.name,
      [setting.value, setting.from, setting.at],
    ]),
  );
}

const answer = async (domain: string) =>
  (await world.client.output(["dig", "+short", "+tries=1", `@${DNS_ADDRESS}`, `web.default.svc.${domain}`])).trim();

test("annotations of a node become settings of its agent, which ends to be started with them, and outlive the cloud", async () => {
  const before = await world.startAgent({ env: SUPERVISED });
  await waitFor("the name", async () => (await answer("cluster.local")) === WEB.clusterIp);
  await world.cached(ELSEWHERE);
  const annotations = {
    "argument.fabedge.io/dns-cluster-domain": "from.annotation",
    "argument.fabedge.io/log-level": "4",
    "argument.fabedge.io/zone": "nord",
    "argument.fabedge.io/source-url": "http://192.0.2.99",
  };
  await world.declareObjects("node", [node(annotations)]);
  expect(await before.exited).toBe(EXIT.again.code);
  expect(before.log).toMatch(/"config\.changed".*"proxy-cluster-cidr,dns-cluster-domain,zone,log-level"/);

  await world.stopHub();
  const after = await world.startAgent({ env: SUPERVISED });
  expect(await answer("from.annotation")).toBe(WEB.clusterIp);
  expect(await answer("cluster.local")).toBe("");
  // What it was told while the cloud was there: its cluster, and its zone.
  expect(await answer("global")).toBe(OWN);
  expect(await digName(world.client, "zonal.default.svc.global")).toBe(OWN);
  const settings = await origins();
  expect(settings.get("dns-cluster-domain")).toEqual(["from.annotation", "cloud", FROM]);
  expect(settings.get("log-level")).toEqual(["debug", "cloud", FROM]);
  expect(settings.get("source-url")?.[1]).toBe("file");

  await world.startHub();
  await waitFor("the source", async () => (await statusOf(world.edge)).source.connected, { timeout: seconds(30) });
  expect([after.running, after.log.includes("config.changed")]).toEqual([true, false]);
  await after.stop();
}, 60_000);
