import { resolve } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { CONNECTOR_LABEL, PUBLICATION_KEY, publicationName } from "../../src/kube/objects/connector-publication.ts";
import { type EdgeClaim, formatPublication } from "../../src/network/connector-claims.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import type { LabProcess } from "../lab/process.ts";
import type { KubernetesObject } from "../lab/service-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ip, prefix } from "./network-objects.ts";

const MAIN = resolve(import.meta.dir, "../../cloud/main.ts");
const MANIFESTS = "/var/manifests";
const KUBECONFIG = "/etc/kubeconfig";
const API_ADDRESS = "10.0.0.100";
const HUB = `${API_ADDRESS}:8880`;

/** Where connectors publish. */
export interface PublicationApi {
  readonly kubeconfig: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  put(publication: KubernetesObject): Promise<void>;
  remove(publication: KubernetesObject): Promise<void>;
}

export type OpenApi = (host: Host, address: string) => Promise<PublicationApi>;

/** How a pod network leads from one cloud node to the pods of another. */
export const POD_NETWORKS = ["flannel VXLAN", "flannel host-gw", "Calico VXLAN", "Calico IPIP"] as const;
export type PodNetwork = (typeof POD_NETWORKS)[number];

export interface CloudNode {
  readonly name: string;
  readonly number: number;
  readonly host: Host;
  readonly pod: Host;
  readonly podAddress: string;
  readonly podAddress6: string;
}

/** Pods of the edge, outside of what the pod network takes for the cluster. */
export const EDGE_PODS = ["10.99.1.0/24", "fd00:99:1::/64"] as const;
export const EDGE_POD = "10.99.1.10";
export const EDGE_POD6 = "fd00:99:1::10";

/**
 * Three nodes of a cloud with their pod network, and an edge that two of them can reach, as by a tunnel:
 *
 *     n1 ─┬─ c1 ─┬─ edge ── pod
 *         ├─ c2 ─┘
 *         └─ api
 */
export class CloudWorld implements AsyncDisposable {
  readonly lab: Lab;
  readonly n1: CloudNode;
  readonly c1: CloudNode;
  readonly c2: CloudNode;
  readonly edge: Host;
  readonly edgePod: Host;
  readonly api: PublicationApi;

  /** @param openApi the hub unless told */
  static async create(network: PodNetwork, openApi: OpenApi = FolderApi.open): Promise<CloudWorld> {
    const lab = await Lab.create();
    try {
      const [cloud, wan] = [await lab.switch("cloud"), await lab.switch("wan")];
      const api = await lab.host("api");
      await api.connect(cloud, { address: "10.0.0.100/24" });
      const nodes: CloudNode[] = [];
      for (const [index, name] of ["n1", "c1", "c2"].entries()) {
        const number = index + 1;
        const host = await lab.host(name);
        await host.connect(cloud, {
          address: [`10.0.0.${number}/24`, `fd00::${number}/64`],
          gateway: ["10.0.0.254", "fd00::254"],
        });
        if (name !== "n1") await host.connect(wan, { address: [`192.168.9.${number}/24`, `fd00:9::${number}/64`] });
        const [podAddress, podAddress6] = [`10.244.${number}.10`, `fd00:10:244:${number}::10`];
        const pod = await host.pod(`${name}-pod`, {
          address: [`${podAddress}/24`, `${podAddress6}/64`],
          bridge: { name: "cni0", address: [`10.244.${number}.1/24`, `fd00:10:244:${number}::1/64`] },
        });
        nodes.push({ name, number, host, pod, podAddress, podAddress6 });
      }
      for (const node of nodes)
        await joinPodNetwork(
          network,
          node,
          nodes.filter((other) => other !== node),
        );
      const edge = await lab.host("edge");
      await edge.connect(wan, { address: ["192.168.9.10/24", "fd00:9::10/64"] });
      const edgePod = await edge.pod("edge-pod", {
        address: [`${EDGE_POD}/24`, `${EDGE_POD6}/64`],
        bridge: { name: "br-fabedge", address: ["10.99.1.1/24", "fd00:99:1::1/64"] },
      });
      const [n1, c1, c2] = nodes;
      if (n1 === undefined || c1 === undefined || c2 === undefined) throw new Error("not three nodes");
      const server = await openApi(api, API_ADDRESS);
      await n1.host.writeFile(KUBECONFIG, server.kubeconfig);
      return new CloudWorld(lab, n1, c1, c2, edge, edgePod, server);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(
    lab: Lab,
    n1: CloudNode,
    c1: CloudNode,
    c2: CloudNode,
    edge: Host,
    edgePod: Host,
    api: PublicationApi,
  ) {
    this.lab = lab;
    this.n1 = n1;
    this.c1 = c1;
    this.c2 = c2;
    this.edge = edge;
    this.edgePod = edgePod;
    this.api = api;
  }

  /** As if the edge's tunnel came up at that connector, which then leads to it and back. */
  async tunnel(to: CloudNode): Promise<void> {
    for (const node of [this.c1, this.c2]) {
      const verb = node === to ? "replace" : "del";
      for (const [of, via] of [
        [EDGE_PODS[0], "192.168.9.10"],
        [EDGE_PODS[1], "fd00:9::10"],
      ] as const) {
        await node.host.run(["ip", "route", verb, of, "via", via]);
      }
    }
    await this.edge.ip(
      `route replace default via 192.168.9.${to.number}`,
      `route replace default via fd00:9::${to.number}`,
    );
  }

  /** What that connector's publication says from now on; undefined: there is none. */
  async publish(node: CloudNode, edges: readonly EdgeClaim[] | undefined): Promise<void> {
    const publication = {
      ...{ node: node.name, address: ip(`10.0.0.${node.number}`), edges: edges ?? [] },
      prefixes: [prefix(`10.244.${node.number}.0/24`), prefix(`fd00:10:244:${node.number}::/64`)],
    };
    const configMap = {
      ...{ apiVersion: "v1", kind: "ConfigMap" },
      metadata: { name: publicationName(node.name), namespace: "fabedge", labels: { [CONNECTOR_LABEL]: node.name } },
      data: { [PUBLICATION_KEY]: formatPublication(publication) },
    };
    await (edges === undefined ? this.api.remove(configMap) : this.api.put(configMap));
  }

  /** Runs until it is stopped. @param program from the sources unless told */
  agent(program: readonly string[] = [process.execPath, MAIN]): Promise<LabProcess> {
    const words = ["node-agent", "--node-name=n1", `--kubeconfig=${KUBECONFIG}`, "--log-level=debug"];
    return this.n1.host.spawn([...program, ...words], { ready: /node-agent\.started/ });
  }

  metrics(): Promise<string> {
    return this.n1.host.output(["curl", "-s", "http://127.0.0.1:8083/metrics"]);
  }

  /** Whether a pod of n1 gets an answer from the edge's pod. */
  async reaches(address: string): Promise<boolean> {
    const { code } = await this.n1.pod.run(["ping", "-c", "1", "-W", "1", address]);
    return code === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab.close();
  }
}

/** A folder of manifests, served by the hub. */
class FolderApi implements PublicationApi {
  readonly #host: Host;
  #hub: LabProcess | undefined;

  static async open(host: Host): Promise<FolderApi> {
    await host.output(["mkdir", "-p", MANIFESTS]);
    const api = new FolderApi(host);
    await api.start();
    return api;
  }

  private constructor(host: Host) {
    this.#host = host;
  }

  get kubeconfig(): string {
    return JSON.stringify({
      ...{ apiVersion: "v1", kind: "Config", "current-context": "lab" },
      clusters: [{ name: "lab", cluster: { server: `http://${HUB}` } }],
      users: [{ name: "lab", user: {} }],
      contexts: [{ name: "lab", context: { cluster: "lab", user: "lab" } }],
    });
  }

  async start(): Promise<void> {
    const words = ["hub", "--manifests", MANIFESTS, "--listen", HUB];
    this.#hub = await this.#host.spawn([process.execPath, MAIN, ...words], { ready: /hub\.serving/ });
  }

  async stop(): Promise<void> {
    await this.#hub?.stop();
  }

  async put(publication: KubernetesObject): Promise<void> {
    // Renamed into its place, so that nobody reads a half.
    await this.#host.writeFile("/var/new.json", JSON.stringify(publication));
    await this.#host.output(["mv", "/var/new.json", fileOf(publication)]);
    if (this.#hub?.running) await this.#until(publication, true);
  }

  async remove(publication: KubernetesObject): Promise<void> {
    await this.#host.output(["rm", "-f", fileOf(publication)]);
    if (this.#hub?.running) await this.#until(publication, false);
  }

  async #until({ metadata: { name } }: KubernetesObject, listed: boolean): Promise<void> {
    const list = () => this.#host.output(["curl", "-s", `http://${HUB}/api/v1/configmaps`]);
    await waitFor(`${name} ${listed ? "" : "not "}to be served`, async () => (await list()).includes(name) === listed);
  }
}

function fileOf({ metadata: { name } }: KubernetesObject): string {
  return `${MANIFESTS}/${name}.json`;
}

/** The edge of these tests, as a connector publishes it. */
export function claimOf(claim: number, subnets: readonly string[] = EDGE_PODS, name = "paris.e1"): EdgeClaim {
  return { name, claim, subnets: subnets.map(prefix), nodeSubnets: [ip("192.168.9.10")] };
}

/** Lines of `ip route`, without what says nothing. */
export async function routes(host: Host, family: 4 | 6, table = "220"): Promise<readonly string[]> {
  const { stdout } = await host.run(["ip", `-${family}`, "route", "show", "table", table]);
  const lines = stdout.split("\n").map((line) => line.replace(/ pref medium/, "").trim());
  return lines.filter((line) => line !== "").sort();
}

/** Waits until the table has exactly these routes. */
export async function untilRoutes(host: Host, family: 4 | 6, wanted: readonly string[]): Promise<void> {
  const want = JSON.stringify([...wanted].sort());
  let last: readonly string[] = [];
  const isSo = async () => {
    last = await routes(host, family);
    return JSON.stringify(last) === want;
  };
  await waitFor(`the IPv${family} routes ${want}`, isSo, { timeout: seconds(15) }).catch((cause) => {
    throw new Error(`There is ${JSON.stringify(last)}`, { cause });
  });
}

async function joinPodNetwork(network: PodNetwork, node: CloudNode, peers: readonly CloudNode[]): Promise<void> {
  const { host } = node;
  switch (network) {
    case "flannel VXLAN":
      await vxlan(node, peers, { link: "flannel.1", address: `10.0.0.${node.number}`, families: [4, 6] });
      return;
    case "Calico VXLAN":
      await vxlan(node, peers, { link: "vxlan.calico", address: `10.0.0.${node.number}`, families: [4] });
      await vxlan(node, peers, { link: "vxlan-v6.calico", address: `fd00::${node.number}`, families: [6] });
      await host.ip(`route add blackhole 10.244.${node.number}.128/26 proto 80`);
      return;
    case "flannel host-gw":
      await host.ip(
        ...peers.flatMap(({ number }) => [
          `route add 10.244.${number}.0/24 via 10.0.0.${number} dev eth0`,
          `route add fd00:10:244:${number}::/64 via fd00::${number} dev eth0`,
        ]),
      );
      return;
    case "Calico IPIP":
      await (HAS_IPIP ? ipip(node, peers) : vxlanAsIpip(node, peers));
  }
}

/** Many kernels are built without. */
const HAS_IPIP =
  Bun.spawnSync(["unshare", "--net", "ip", "link", "add", "tunl1", "type", "ipip", "local", "10.0.0.1"]).exitCode === 0;

async function ipip({ number, host }: CloudNode, peers: readonly CloudNode[]): Promise<void> {
  await host.ip(
    `link add tunl1 type ipip local 10.0.0.${number} ttl inherit`,
    `address add 10.244.${number}.1/32 dev tunl1`,
    "link set tunl1 up mtu 1480",
    ...peers.map((peer) => `route add 10.244.${peer.number}.0/24 via 10.0.0.${peer.number} dev tunl1 onlink`),
  );
}

/** The same routes by a link that every kernel has: the gateway is the other node's address, "on" a tunnel. */
async function vxlanAsIpip({ number, host }: CloudNode, peers: readonly CloudNode[]): Promise<void> {
  const mac = (n: number) => `02:00:00:00:01:0${n}`;
  await host.ip(
    `link add tunl1 address ${mac(number)} mtu 1430 type vxlan id 3 local 10.0.0.${number} dstport 8474 nolearning`,
    `address add 10.244.${number}.1/32 dev tunl1`,
    "link set tunl1 up",
    ...peers.flatMap((peer) => [
      `neighbor add 10.0.0.${peer.number} lladdr ${mac(peer.number)} dev tunl1 nud permanent`,
      `route add 10.244.${peer.number}.0/24 via 10.0.0.${peer.number} dev tunl1 onlink`,
    ]),
  );
  for (const { number: n } of peers) {
    await host.output(["bridge", "fdb", "append", mac(n), "dev", "tunl1", "dst", `10.0.0.${n}`]);
  }
}

interface Overlay {
  readonly link: string;
  readonly address: string;
  readonly families: readonly (4 | 6)[];
}

/** A VXLAN with one route, one neighbour and one entry of the forwarding table for each peer, as both make it. */
async function vxlan({ number, host }: CloudNode, peers: readonly CloudNode[], { link, address, families }: Overlay) {
  const mac = (n: number) => `02:00:00:00:0${families[0]}:0${n}`;
  const end = (n: number, family: 4 | 6) => (family === 4 ? `10.244.${n}.0` : `fd00:10:244:${n}::`);
  const is6 = address.includes(":");
  const [id, port] = is6 ? [2, 8473] : [1, 8472];
  await host.ip(
    `link add ${link} address ${mac(number)} mtu 1430 type vxlan id ${id} local ${address} dstport ${port} nolearning`,
    ...families.map((family) => `address add ${end(number, family)}/${family === 4 ? 32 : 128} dev ${link}`),
    `link set ${link} up`,
    ...peers.flatMap((peer) =>
      families.flatMap((family) => [
        `neighbor add ${end(peer.number, family)} lladdr ${mac(peer.number)} dev ${link} nud permanent`,
        `route add ${end(peer.number, family)}/${family === 4 ? 24 : 64} via ${end(peer.number, family)} dev ${link} onlink`,
      ]),
    ),
  );
  for (const peer of peers) {
    const to = is6 ? `fd00::${peer.number}` : `10.0.0.${peer.number}`;
    await host.output(["bridge", "fdb", "append", mac(peer.number), "dev", link, "dst", to]);
  }
}
