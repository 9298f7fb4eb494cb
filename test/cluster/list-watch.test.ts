import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { ApiServer, apiServerPrograms } from "../lab/api-server.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";

const CONTRACT = join(import.meta.dir, "../contract/kube/list-watch.test.ts");
const KUBECONFIG = "/run/administrator.kubeconfig";

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

test(
  "a real API server keeps the contract that the list-watch client counts on",
  async () => {
    const argv = [process.execPath, "test", "--timeout=30000", CONTRACT, "--test-name-pattern", "of the API server"];
    const { stderr, code } = await cloud.run(argv, {
      env: { SELVEDGE_TEST_KUBECONFIG: KUBECONFIG },
      timeout: seconds(60),
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^ [1-9]\d* pass$/m) });
  },
  seconds(90),
);
