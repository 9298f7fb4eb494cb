import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { ApiServer, apiServerPrograms } from "../lab/api-server.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";

const CONTRACT = join(import.meta.dir, "../contract/kube/list-watch.test.ts");
const KUBECONFIG = "/run/kubernetes/administrator";

let lab: Lab;
let cloud: Host;
beforeAll(async () => {
  lab = await Lab.create();
  cloud = await lab.host("cloud");
  await cloud.connect(await lab.switch("wan"), { address: "192.0.2.1/24" });
  const server = await ApiServer.start(cloud, "192.0.2.1", await apiServerPrograms());
  await cloud.writeFile(KUBECONFIG, server.administratorKubeconfig, "0600");
}, seconds(120));
afterAll(() => lab?.close());

test("the list-watch contract holds for the real API server", async () => {
  const env = { SELVEDGE_TEST_KUBECONFIG: KUBECONFIG };
  const { code, stdout, stderr } = await cloud.run([process.execPath, "test", CONTRACT], { env });
  expect({ code, failures: (stdout + stderr).split("\n").filter((line) => line.includes("(fail)")) }).toEqual({
    code: 0,
    failures: [],
  });
  expect(stdout + stderr).toContain("a list-watch of the API server");
}, 60_000);
