import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { ApiServer, apiServerPrograms } from "../lab/api-server.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import { toolPaths } from "../lab/tools.ts";
import { waitFor } from "../lab/wait-for.ts";

const CRDS = join(import.meta.dir, "../../cloud/crds");
const ADDRESS = "192.0.2.1";
const CONFIG = "/etc/admin.kubeconfig";

let lab: Lab;
let host: Host;
let kubectl: string;

beforeAll(async () => {
  lab = await Lab.create();
  host = await lab.host("cloud");
  await host.connect(await lab.switch("wan"), { address: `${ADDRESS}/24` });
  const server = await ApiServer.start(host, ADDRESS, await apiServerPrograms());
  await host.writeFile(CONFIG, server.administratorKubeconfig, "0600");
  ({ kubectl } = await toolPaths("kubectl"));
  for (const file of readdirSync(CRDS)) {
    const result = await run("apply", "--server-side", "-f", join(CRDS, file));
    if (result.code !== 0) throw new Error(result.stderr);
  }
  for (const name of ["communities", "clusters", "globalservices"]) {
    await waitFor(`${name} are served`, async () => (await run("get", name)).code === 0);
  }
}, seconds(120));
afterAll(() => lab?.close());

function run(...words: readonly string[]) {
  return host.run([kubectl, "--kubeconfig", CONFIG, ...words]);
}

let files = 0;

async function apply(object: object) {
  const file = `/run/object-${++files}.json`;
  await host.writeFile(file, JSON.stringify(object));
  return run("apply", "--server-side", "-f", file);
}

function community(name: string, members: unknown): object {
  return { apiVersion: "fabedge.io/v1alpha1", kind: "Community", metadata: { name }, spec: { members } };
}

function cluster(name: string, spec: object): object {
  return { apiVersion: "fabedge.io/v1alpha1", kind: "Cluster", metadata: { name }, spec };
}

const ENDPOINT = {
  id: "C=CN, O=fabedge.io, CN=lyon.connector",
  name: "lyon.connector",
  publicAddresses: ["198.51.100.9"],
  subnets: ["10.97.0.0/16", "10.2.0.0/24"],
  nodeSubnets: ["10.20.0.4"],
  type: "Connector",
};

function globalService(name: string, endpoint: object): object {
  const spec = { type: "Headless", ports: [{ name: "http", protocol: "TCP", port: 80 }], endpoints: [endpoint] };
  return {
    ...{ apiVersion: "dns.fabedge.io/v1alpha1", kind: "GlobalService" },
    metadata: { name, namespace: "default", labels: { "fabedge.io/created-by": "service-hub" } },
    spec,
  };
}

const POD = {
  addresses: ["10.2.0.9", "fd00::9"],
  hostname: "web-0",
  targetRef: { kind: "Pod", name: "web-0", namespace: "shop" },
  cluster: "lyon",
  zone: "sud",
  region: "fr",
};

describe("the API server takes", () => {
  test.each([
    ["a community of edges", community("line-3", ["paris.e1", "paris.e2"])],
    ["a community of connectors", community("clouds", ["paris.connector", "lyon.connector"])],
    ["somebody named twice, which the operator reports", community("twice", ["paris.e1", "paris.e1"])],
    ["a service of several clusters, as FabEdge's service-hub writes it", globalService("web", POD)],
    ["a cluster that registered", cluster("lyon", { cidrs: ["10.2.0.0/16", "fd00::/48"], endpoints: [ENDPOINT] })],
  ])("%s", async (_, object) => {
    expect((await apply(object)).stderr).toBe("");
  });

  test("endpoints as FabEdge before v0.7 wrote them, and keeps them", async () => {
    expect((await apply(cluster("old", { endPoints: [ENDPOINT] }))).stderr).toBe("");
    const { stdout } = await run("get", "cluster.fabedge.io", "old", "-o", "jsonpath={.spec.endPoints[0].name}");
    expect(stdout).toBe("lyon.connector");
  });
});

describe("the API server refuses", () => {
  test.each([
    ["a member without its cluster", community("bad", ["e1"]), "a member is named CLUSTER.NODE or CLUSTER.connector"],
    ["a member that is no text", community("bad", [1]), "spec.members[0]"],
    ["an endpoint that is no address", globalService("bad", { ...POD, addresses: ["lyon"] }), "addresses[0]"],
    ["an endpoint that is there twice", globalService("bad", { ...POD, addresses: ["::1", "::1"] }), "duplicate"],
    ["a network without a length", cluster("bad", { cidrs: ["10.2.0.0"] }), "such as 10.1.0.0/16"],
    ["a port that is none", cluster("bad", { endpoints: [{ ...ENDPOINT, port: 70_000 }] }), "65535"],
  ])("%s, and says what is wrong", async (_, object, said) => {
    const { code, stderr } = await apply(object);
    expect(code).not.toBe(0);
    expect(stderr).toContain(said);
  });
});

test("kubectl get shows how a community is", async () => {
  await apply(community("shown", ["paris.e1", "paris.e9"]));
  const status = {
    observedGeneration: 1,
    memberCount: 2,
    readyCount: 1,
    members: [{ name: "paris.e9", state: "Unknown" }],
    conditions: [
      {
        type: "Ready",
        status: "False",
        reason: "CommunityAlone",
        message: "Cannot connect anybody",
        lastTransitionTime: "2026-11-21T08:00:00Z",
      },
    ],
  };
  const patch = JSON.stringify({ status });
  const words = ["patch", "community", "shown", "--subresource", "status", "--type", "merge", "-p", patch];
  expect((await run(...words)).stderr).toBe("");
  const { stdout } = await run("get", "community", "shown");
  const [header = "", row = ""] = stdout.trim().split("\n");
  expect(header.split(/\s+/)).toEqual(["NAME", "READY", "REASON", "MEMBERS", "CONNECTED", "AGE"]);
  expect(row.split(/\s+/).slice(0, 5)).toEqual(["shown", "False", "CommunityAlone", "2", "1"]);
});
