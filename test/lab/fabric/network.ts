import type { Host } from "../host.ts";
import { Lab } from "../lab.ts";
import type { Link } from "../link.ts";
import type { Switch } from "../switch.ts";

/** A node of the fabric by its number: its addresses follow from it. */
export interface FabricNode {
  readonly name: string;
  readonly host: Host;
  /** What Kubernetes calls its InternalIP. */
  readonly address: string;
  /** IPv4 first. */
  readonly podCidrs: readonly [string, string];
  readonly pod: Host;
  readonly podAddresses: readonly [string, string];
}

export interface CloudNode extends FabricNode {
  readonly publicAddress: string;
  readonly uplink: Link;
  /** To the other nodes of the cloud. */
  readonly cloudLink: Link;
}

export interface EdgeNode extends FabricNode {
  readonly router: Host;
  /** The router's own address on the internet, at which it hands IKE on to the node. */
  readonly publicAddress: string;
  /** Between the router and the internet. */
  readonly uplink: Link;
}

const CONTROL = { name: "control", address: "10.0.0.1", publicAddress: "198.51.100.100" };
/** flannel's, whose way of joining cloud nodes this is: one VXLAN, a route and an ARP entry a node. */
const OVERLAY = "flannel.1";
const GATEWAY = "10.0.0.254";
const IKE_PORTS = "{ 500, 4500 }";

/**
 * A cluster whose cloud is one network and whose edge nodes each are behind a router of their own:
 *
 *     control ─┬─ c1 ─┬─ internet ─┬─ r1 ── e1
 *              └─ c2 ─┘            └─ r2 ── e2
 *
 * Every node has one pod with an IPv4 and an IPv6 address. Cloud nodes reach each other's pods as flannel does it;
 * nobody reaches a pod of an edge node.
 */
export class FabricNetwork implements AsyncDisposable {
  readonly lab: Lab;
  readonly internet: Switch;
  /** Runs the API server; a cloud node without connector. */
  readonly control: CloudNode;
  readonly clouds: readonly CloudNode[];
  readonly edges: readonly EdgeNode[];

  static async create({ clouds = 2, edges = 2 } = {}): Promise<FabricNetwork> {
    const lab = await Lab.create();
    try {
      const [internet, dataCentre] = [await lab.switch("internet"), await lab.switch("dc")];
      const control = await addCloud(lab, internet, dataCentre, CONTROL, 0);
      const others = await Promise.all(
        count(clouds).map((number) => {
          const addresses = { address: `10.0.0.${10 + number}`, publicAddress: `198.51.100.${number}` };
          return addCloud(lab, internet, dataCentre, { name: `c${number}`, ...addresses }, number);
        }),
      );
      await joinByVxlan([control, ...others]);
      const edgeNodes = await Promise.all(count(edges).map((number) => addEdge(lab, internet, number)));
      return new FabricNetwork(lab, internet, control, others, edgeNodes);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(
    lab: Lab,
    internet: Switch,
    control: CloudNode,
    clouds: readonly CloudNode[],
    edges: readonly EdgeNode[],
  ) {
    this.lab = lab;
    this.internet = internet;
    this.control = control;
    this.clouds = clouds;
    this.edges = edges;
  }

  get nodes(): readonly FabricNode[] {
    return [this.control, ...this.clouds, ...this.edges];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab.close();
  }
}

function count(to: number): readonly number[] {
  return Array.from({ length: to }, (_, index) => index + 1);
}

function podCidrs(number: number): [string, string] {
  return [`10.244.${number}.0/24`, `fd00:10:244:${number}::/64`];
}

async function addPod(
  host: Host,
  name: string,
  bridge: string,
  number: number,
): Promise<Pick<FabricNode, "pod" | "podAddresses">> {
  const pod = await host.pod(name, {
    address: [`10.244.${number}.10/24`, `fd00:10:244:${number}::10/64`],
    bridge: { name: bridge, address: [`10.244.${number}.1/24`, `fd00:10:244:${number}::1/64`] },
  });
  // As our CNI plugin and flannel's do: the pod reaches a service that it is behind itself.
  await host.ip("link set veth0 type bridge_slave hairpin on");
  return { pod, podAddresses: [`10.244.${number}.10`, `fd00:10:244:${number}::10`] };
}

async function addCloud(
  lab: Lab,
  internet: Switch,
  dataCentre: Switch,
  { name, address, publicAddress }: typeof CONTROL,
  number: number,
): Promise<CloudNode> {
  const host = await lab.host(name);
  // Nobody is at this gateway: what goes there instead of into a tunnel is lost, and seen.
  const cloudLink = await host.connect(dataCentre, { address: `${address}/24`, gateway: GATEWAY });
  const uplink = await host.connect(internet, { address: `${publicAddress}/24` });
  const pod = await addPod(host, `${name}-pod`, "cni0", number);
  return { name, host, address, publicAddress, uplink, cloudLink, podCidrs: podCidrs(number), ...pod };
}

async function addEdge(lab: Lab, internet: Switch, number: number): Promise<EdgeNode> {
  const [name, lan] = [`e${number}`, await lab.switch(`lan${number}`)];
  const [host, router] = [await lab.host(name), await lab.host(`r${number}`)];
  const [address, gateway] = [`192.168.${number}.10`, `192.168.${number}.1`];
  const publicAddress = `198.51.100.${10 + number}`;
  const uplink = await router.connect(internet, { address: `${publicAddress}/24` });
  await router.connect(lan, { address: `${gateway}/24` });
  await host.connect(lan, { address: `${address}/24`, gateway });
  await router.output(["nft", "-f", "-"], {
    input: `table ip nat {
      chain in { type nat hook prerouting priority dstnat; iif eth0 udp dport ${IKE_PORTS} dnat to ${address}; }
      chain out { type nat hook postrouting priority srcnat; oif eth0 masquerade; }
    }`,
  });
  const pod = await addPod(host, `${name}-pod`, "br-fabedge", 10 + number);
  return { name, host, router, address, publicAddress, uplink, podCidrs: podCidrs(10 + number), ...pod };
}

/** What flannel's agent does on each node. */
async function joinByVxlan(nodes: readonly CloudNode[]): Promise<void> {
  const macOf = (node: CloudNode) =>
    `02:00:00:00:00:${Number(node.address.split(".")[3]).toString(16).padStart(2, "0")}`;
  const vtep = (cidr: string) => cidr.replace(/\/\d+$/, "");
  for (const node of nodes) {
    const peers = nodes.filter((other) => other !== node);
    await node.host.ip(
      `link add ${OVERLAY} address ${macOf(node)} mtu 1450 type vxlan id 1 local ${node.address} dstport 8472 nolearning`,
      ...node.podCidrs.map((cidr) => `address add ${vtep(cidr)}/${cidr.includes(":") ? 128 : 32} dev ${OVERLAY}`),
      `link set ${OVERLAY} up`,
      ...peers.flatMap((peer) => [
        ...peer.podCidrs.flatMap((cidr) => [
          `neighbor add ${vtep(cidr)} lladdr ${macOf(peer)} dev ${OVERLAY} nud permanent`,
          `route add ${cidr} via ${vtep(cidr)} dev ${OVERLAY} onlink`,
        ]),
      ]),
    );
    for (const peer of peers) {
      await node.host.output(["bridge", "fdb", "append", macOf(peer), "dev", OVERLAY, "dst", peer.address]);
    }
  }
}
