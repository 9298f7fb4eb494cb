import { afterAll, beforeAll, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { ApiServer, apiServerPrograms } from "../lab/api-server.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";

let lab: Lab;
let cloud: Host;
let server: ApiServer;

beforeAll(async () => {
  lab = await Lab.create();
  cloud = await lab.host("cloud");
  await cloud.connect(await lab.switch("wan"), { address: "192.0.2.1/24" });
  server = await ApiServer.start(cloud, "192.0.2.1", await apiServerPrograms());
}, seconds(120));
afterAll(() => lab?.close());

async function askAsAgent(path: string): Promise<{ readonly kind: string; readonly [field: string]: unknown }> {
  const kubeconfig = Bun.YAML.parse(server.kubeconfig) as { users: [{ user: { token: string } }] };
  const header = `Authorization: Bearer ${kubeconfig.users[0].user.token}`;
  const authority = "/run/kubernetes/apiserver.crt";
  const url = server.url + path;
  return JSON.parse(await cloud.output(["curl", "--silent", "--cacert", authority, "--header", header, url]));
}

test("the agent's account reads what an agent needs, and no secrets", async () => {
  for (const path of ["/api/v1/services", "/api/v1/nodes", "/apis/discovery.k8s.io/v1/endpointslices"])
    expect(await askAsAgent(path)).toMatchObject({ kind: expect.stringMatching(/List$/) });
  expect(await askAsAgent("/api/v1/secrets")).toMatchObject({ kind: "Status", code: 403 });
});

test(
  "a restarted API server has the objects of before",
  async () => {
    const metadata = { name: "kept", namespace: "shop" };
    const object = { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port: 80 }] } };
    const { spec } = await server.apply(object);
    await server.restart();
    expect(await askAsAgent("/api/v1/namespaces/shop/services/kept")).toMatchObject({ spec });
    await server.delete(object);
    expect(await askAsAgent("/api/v1/namespaces/shop/services/kept")).toMatchObject({ kind: "Status", code: 404 });
  },
  seconds(120),
);

test("a refused object is an error with the server's reason", async () => {
  const object = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "bad", namespace: "shop" },
    spec: { ports: [] },
  };
  await expect(server.apply(object)).rejects.toThrow("422");
});
