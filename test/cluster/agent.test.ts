import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { ApiServer, apiServerPrograms } from "../lab/api-server.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import type { Link } from "../lab/link.ts";
import type { LabProcess } from "../lab/process.ts";
import type { KubernetesObject } from "../lab/service-objects.ts";
import { waitFor } from "../lab/wait-for.ts";

const AGENT = join(import.meta.dir, "../../dist/selvedge-linux-x64");
const CLOUD = "192.0.2.1";
const DNS = "169.254.25.10";
const KUBECONFIG = "/etc/selvedge/kubeconfig";
/** More than one page of a list, which has 500 items. */
const MANY = 600;

let lab: Lab;
let cloud: Host;
let edge: Host;
let uplink: Link;
let server: ApiServer;
let agent: LabProcess;

beforeAll(async () => {
  lab = await Lab.create();
  const wan = await lab.switch("wan");
  cloud = await lab.host("cloud");
  edge = await lab.host("edge1");
  await cloud.connect(wan, { address: `${CLOUD}/24` });
  uplink = await edge.connect(wan, { address: "192.0.2.11/24" });
  server = await ApiServer.start(cloud, CLOUD, await apiServerPrograms());
  await edge.writeFile(KUBECONFIG, server.kubeconfig, "0600");
  agent = await startAgent();
}, seconds(120));
afterAll(() => lab?.close());

function startAgent(): Promise<LabProcess> {
  const source = ["--source", "api-server", "--kubeconfig", KUBECONFIG];
  return edge.spawn([AGENT, "run", "--node-name", "edge1", ...source, "--dns-bind-ip", DNS]);
}

interface Address {
  readonly clusterIP: string;
}

function service(name: string, spec: object = {}): KubernetesObject & { readonly spec: object } {
  const ports = [{ name: "http", port: 80, targetPort: 8080 }];
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "default" }, spec: { ports, ...spec } };
}

function slice(ofService: string, addresses: readonly string[], ready = true): KubernetesObject {
  const labels = { "kubernetes.io/service-name": ofService };
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${ofService}-1`, namespace: "default", labels },
    addressType: "IPv4",
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready } })),
    ports: [{ name: "http", port: 8080 }],
  };
}

/** Lets the API server allocate the address, and returns it. */
async function declare(name: string, endpoints: readonly string[], spec: object = {}): Promise<string> {
  const { spec: completed } = await server.apply(service(name, spec));
  await server.apply(slice(name, endpoints));
  return (completed as Address).clusterIP;
}

async function remove(name: string): Promise<void> {
  await server.delete(slice(name, []));
  await server.delete(service(name));
}

const kernel = () => edge.output(["nft", "list", "ruleset"]);
/** A server that starts again may have forgotten where a watch was: nodes spread their lists over a minute then. */
const RELISTED = { timeout: seconds(75) };
const inKernel = (...texts: readonly string[]) => {
  const areThere = async () => {
    const ruleset = await kernel();
    return texts.every((text) => mentions(ruleset, text));
  };
  return waitFor(`${texts.join(" and ")} in the kernel`, areThere, RELISTED);
};
const goneFromKernel = (text: string) =>
  waitFor(`no ${text} in the kernel`, async () => !mentions(await kernel(), text));

function mentions(ruleset: string, address: string): boolean {
  return new RegExp(`(?<![0-9a-f.:])${address.replaceAll(".", "\\.")}(?![0-9a-f.:])`).test(ruleset);
}

async function dig(name: string, type = "A"): Promise<readonly string[]> {
  const domain = `${name}.default.svc.cluster.local`;
  const answer = await edge.output(["dig", "+short", "+time=5", "+tries=1", `@${DNS}`, domain, type]);
  return answer
    .split("\n")
    .filter((line) => line !== "")
    .sort();
}

async function digStatus(name: string): Promise<string | undefined> {
  const domain = `${name}.default.svc.cluster.local`;
  const { stdout } = await edge.run(["dig", "+time=5", "+tries=1", `@${DNS}`, domain, "A"]);
  return /status: (\w+)/.exec(stdout)?.[1];
}

const resolves = (name: string, addresses: readonly string[], type = "A") =>
  waitFor(`${name} ${type} is ${addresses.join(", ")}`, async () => Bun.deepEquals(await dig(name, type), addresses));

describe("with a real API server as its source, an agent", () => {
  test("has what was there before it, the API server's own service among it", async () => {
    await inKernel("10.96.0.1", CLOUD);
    await resolves("kubernetes", ["10.96.0.1"]);
  });

  test("brings a created service into the kernel and into DNS", async () => {
    const address = await declare("web", ["10.244.1.21", "10.244.1.22"]);
    await inKernel(address, "10.244.1.21", "10.244.1.22");
    await resolves("web", [address]);
  });

  test("follows its endpoints as they come, go and stop being ready", async () => {
    await server.apply(slice("web", ["10.244.1.22", "10.244.1.23"]));
    await inKernel("10.244.1.22", "10.244.1.23");
    await goneFromKernel("10.244.1.21");
    await server.apply(slice("web", ["10.244.1.22", "10.244.1.23"], false));
    await goneFromKernel("10.244.1.23");
  });

  test("follows the change of a service: another port, an external address", async () => {
    const address = await declare("changing", ["10.244.1.31"]);
    await inKernel(address);
    const ports = [{ name: "http", port: 8088, targetPort: 8080 }];
    await declare("changing", ["10.244.1.31"], { ports, externalIPs: ["203.0.113.7"] });
    await inKernel("203.0.113.7", "8088");
  });

  test("answers a headless service with its endpoints, and puts nothing of it into the kernel", async () => {
    await declare("headless", ["10.244.1.41", "10.244.1.42"], { clusterIP: "None" });
    await resolves("headless", ["10.244.1.41", "10.244.1.42"]);
    expect(mentions(await kernel(), "10.244.1.41")).toBeFalse();
  });

  test("serves both addresses of a service with two families", async () => {
    await declare("both", ["10.244.1.51"], { ipFamilyPolicy: "RequireDualStack" });
    const v6 = await waitFor("both AAAA", async () => (await dig("both", "AAAA"))[0]);
    expect(v6).toStartWith("fd00:10:96::");
    await inKernel(v6);
  });

  test("forgets what is deleted", async () => {
    const address = await declare("short", ["10.244.1.61"]);
    await inKernel(address, "10.244.1.61");
    await remove("short");
    await goneFromKernel(address);
    await goneFromKernel("10.244.1.61");
    await waitFor("short is unknown", async () => (await digStatus("short")) === "NXDOMAIN");
  });

  test(
    "has everything while the API server is dead, and follows the next one",
    async () => {
      const address = await declare("steady", ["10.244.1.71"]);
      await inKernel(address, "10.244.1.71");
      await server.kill();
      await waitFor("the agent notices", async () =>
        /\bdisconnected|unreachable|KUBE_UNREACHABLE/i.test(await status()),
      );
      expect(mentions(await kernel(), address)).toBeTrue();
      expect(await dig("steady")).toEqual([address]);

      await server.restart();
      await server.apply(slice("steady", ["10.244.1.72"]));
      await waitFor("the change after the restart", async () => mentions(await kernel(), "10.244.1.72"), RELISTED);
      await goneFromKernel("10.244.1.71");
    },
    seconds(120),
  );

  test(
    "learns after a partition what was deleted during it",
    async () => {
      const [kept, deleted] = [await declare("kept", ["10.244.1.81"]), await declare("deleted", ["10.244.1.82"])];
      await inKernel(kept, deleted);
      await uplink.silence();
      await remove("deleted");
      await agent.stop();
      agent = await startAgent();
      await resolves("deleted", [deleted]);
      expect(mentions(await kernel(), deleted)).toBeTrue();

      await uplink.restore();
      await waitFor("the deletion", async () => !mentions(await kernel(), deleted), { timeout: seconds(60) });
      await waitFor("deleted is unknown", async () => (await digStatus("deleted")) === "NXDOMAIN");
      expect(await dig("kept")).toEqual([kept]);
    },
    seconds(120),
  );

  test(
    `reads a list of ${MANY} services, which comes in pages`,
    async () => {
      const names = Array.from({ length: MANY }, (_, i) => `page-${i}`);
      await server.applyAll(names.map((name) => service(name)));
      await agent.stop();
      await edge.output(["rm", "-r", "/var/lib/selvedge"]);
      agent = await startAgent();
      for (const name of [names[0], names[MANY - 1]])
        await waitFor(`${name} in DNS`, async () => (await dig(String(name))).length === 1);
      expect(await edge.output([AGENT, "services"])).toContain(`page-${MANY - 1}`);
    },
    seconds(120),
  );
});

/** Its exit status speaks of the node's health, which is not the matter here. */
async function status(): Promise<string> {
  return (await edge.run([AGENT, "status"])).stdout;
}
