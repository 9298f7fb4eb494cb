import { Lab } from "../lab/lab.ts";
import { formatManifest, serviceObjects } from "../lab/service-objects.ts";
import { waitFor } from "../lab/wait-for.ts";

const DIST = `${import.meta.dir}/../../dist`;
const HUB_PORT = 8080;

/** What the agent's cache knows. */
export const DNS_ADDRESS = "169.254.25.10";
export const BACKENDS = { one: "10.244.1.21", two: "10.244.1.22" };
export const BACKEND_PORT = 8081;
export const NAME = "shop.default.svc.cluster.local";
export const CLUSTER_IP = "10.96.0.10";
const STATE = "/var/lib/selvedge";

export const AGENT_ARGUMENTS =
  `run --node-name edge1 --source hub --meta-server http://127.0.0.1:${HUB_PORT} --state-dir ${STATE} ` +
  `--dns-bind-ip ${DNS_ADDRESS} --dns-cluster-domain cluster.local --dummy-interface-name selvedge0`;

/** The cache of an agent that has been in touch with a cloud, as the files of its state directory. */
export async function cacheOfConnectedAgent(): Promise<Record<string, Uint8Array>> {
  await using lab = await Lab.create();
  const host = await lab.host("edge1");
  const service = serviceObjects({
    name: "shop",
    namespace: "default",
    clusterIp: CLUSTER_IP,
    targetPort: BACKEND_PORT,
    endpoints: Object.values(BACKENDS),
  });
  await host.writeFile("/run/manifests/shop.yaml", formatManifest(service));
  const listen = `127.0.0.1:${HUB_PORT}`;
  await host.spawn([`${DIST}/selvedge-cloud-linux-x64`, "hub", "--manifests", "/run/manifests", "--listen", listen]);
  const agent = await host.spawn([`${DIST}/selvedge-linux-x64`, ...AGENT_ARGUMENTS.split(" ")]);
  await waitFor(`${NAME} answered by the connected agent`, async () => {
    const { stdout } = await host.run(["dig", "+short", "+tries=1", "+time=1", `@${DNS_ADDRESS}`, NAME]);
    return stdout.trim() === CLUSTER_IP;
  }).catch((error) => {
    throw new Error(`${error.message}\n${agent.log}`);
  });
  await agent.stop();
  const files: Record<string, Uint8Array> = {};
  for (const path of (await host.output(["find", STATE, "-type", "f"])).trim().split("\n")) {
    files[path] = Buffer.from(await host.output(["base64", path]), "base64");
  }
  return files;
}
