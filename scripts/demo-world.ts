import type { Host } from "../test/lab/host.ts";
import { Lab } from "../test/lab/lab.ts";
import type { Link } from "../test/lab/link.ts";
import type { ServiceDescription } from "../test/lab/service-objects.ts";

export const CLOUD_ADDRESS = "198.51.100.1";
export const EDGE_ADDRESS = "198.51.100.11";
export const DNS_ADDRESS = "169.254.25.10";
export const POD_NETWORK = "10.244.1.0/24";

const BRIDGE = { name: "cni0", address: "10.244.1.1/24" };
const BACKEND_PORT = 8080;

/** Each backend's name and address; a service is reached at all of its backends. */
const BACKENDS = {
  "shop-1": "10.244.1.21",
  "shop-2": "10.244.1.22",
  "shop-3": "10.244.1.23",
  "meter-1": "10.244.1.31",
  "meter-2": "10.244.1.32",
} as const;

export type Backend = keyof typeof BACKENDS;

export interface DemoService extends ServiceDescription {
  readonly backends: readonly Backend[];
}

export interface World {
  readonly lab: Lab;
  readonly cloud: Host;
  /** Cut, it takes the cloud away from everybody. */
  readonly cloudLink: Link;
  readonly edge: Host;
  /** A pod that uses services, with a resolv.conf as kubelet writes it. */
  readonly client: Host;
}

/** A cloud, and an edge node with the pods of two services and one that uses them. */
export async function buildWorld(): Promise<World> {
  const lab = await Lab.create();
  const internet = await lab.switch("internet");
  const [cloud, edge] = await Promise.all([lab.host("cloud"), lab.host("edge1")]);
  const cloudLink = await cloud.connect(internet, { address: `${CLOUD_ADDRESS}/24` });
  await edge.connect(internet, { address: `${EDGE_ADDRESS}/24` });
  const client = await edge.pod("client", { address: "10.244.1.10/24", bridge: BRIDGE });
  await client.writeFile(
    "/etc/resolv.conf",
    `search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver ${DNS_ADDRESS}\noptions ndots:5\n`,
  );
  for (const [name, address] of Object.entries(BACKENDS)) {
    const pod = await edge.pod(name, { address: `${address}/24`, bridge: BRIDGE });
    // A real HTTP server that says who it is.
    const script = `Bun.serve({ port: ${BACKEND_PORT}, fetch: () => new Response("${name}\\n") }); console.log("up")`;
    await pod.spawn([process.execPath, "-e", script], { ready: /up/ });
  }
  return { lab, cloud, cloudLink, edge, client };
}

export function demoService(
  namespace: string,
  name: string,
  clusterIp: string,
  backends: readonly Backend[],
): DemoService {
  const endpoints = backends.map((backend) => BACKENDS[backend]);
  return { namespace, name, clusterIp, targetPort: BACKEND_PORT, endpoints, backends };
}
