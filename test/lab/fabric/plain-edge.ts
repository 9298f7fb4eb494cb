import { formatPrefix } from "../../../src/base/ip.ts";
import { parseNodeConfig } from "../../../src/kube/objects/node-config.ts";
import type { NodeConfig } from "../../../src/network/node-config.ts";
import type { TunnelEndpoint } from "../../../src/network/tunnel-endpoint.ts";
import { Charon } from "../charon.ts";
import { waitFor } from "../wait-for.ts";
import { type FabricCluster, NAMESPACE } from "./cluster.ts";
import type { EdgeNode } from "./network.ts";

const FOLDER = "/etc/swanctl";
/** What the three children of a connection are made of, in the order in which FabEdge's agent begins them. */
const CHILDREN = ["p2p", "p2n", "n2p"] as const;

/**
 * Stands in for an edge node of FabEdge's: a plain strongSwan, loaded by swanctl from what the cluster has for the node,
 * as reference appendix C has it, and routes by hand. Nothing of it is our program's.
 */
export class PlainEdge {
  readonly node: EdgeNode;
  readonly charon: Charon;
  readonly #config: NodeConfig;

  static async start(cluster: FabricCluster, node: EdgeNode): Promise<PlainEdge> {
    const config = await readConfig(cluster, node.name);
    const { host } = node;
    for (const [file, folder, name] of [
      ["tls.crt", "x509", "own.pem"],
      ["tls.key", "private", "own.pem"],
      ["ca.crt", "x509ca", "ca.pem"],
    ] as const) {
      await host.writeFile(`${FOLDER}/${folder}/${name}`, await readSecret(cluster, node.name, file), "0600");
    }
    const edge = new PlainEdge(node, await Charon.start(host), config);
    await edge.charon.swanctl("--load-creds");
    return edge;
  }

  private constructor(node: EdgeNode, charon: Charon, config: NodeConfig) {
    this.node = node;
    this.charon = charon;
    this.#config = config;
  }

  /** The peers' public addresses are replaced where one is given. */
  async connect(peer: string, address?: string): Promise<void> {
    const found = this.#config.peers.find(({ name }) => name === peer);
    if (found === undefined) throw new Error(`${this.node.name} has no peer ${peer}`);
    const remote = address === undefined ? found.publicAddresses : [address];
    await this.node.host.writeFile(`${FOLDER}/swanctl.conf`, formatConnection(this.#config.endpoint, found, remote));
    await this.charon.swanctl("--load-conns");
    for (const kind of CHILDREN)
      await this.charon.swanctl("--initiate", "--child", `${localName(peer)}-${kind}`, "--timeout", "10");
    await this.#route(found);
  }

  /** Begins anew, as after its DPD: the other end is not asked. */
  async reconnect(peer: string): Promise<void> {
    // It fails where the other end does not confirm it, and has forgotten the SA then, too.
    await this.charon.swanctl("--terminate", "--ike", localName(peer), "--force", "--timeout", "1").catch(() => {});
    await this.connect(peer);
  }

  /** To what is behind the peer, from this node's own address. */
  async #route({ subnets, nodeSubnets }: TunnelEndpoint): Promise<void> {
    const { host, podCidrs, address } = this.node;
    await host.output(["sh", "-c", "ip rule del pref 220; ip -6 rule del pref 220; ip rule del pref 221; true"]);
    await host.ip("rule add pref 220 table 220", `rule add pref 221 from ${podCidrs[0]} table 221`);
    await host.output(["ip", "-6", "rule", "add", "pref", "220", "table", "220"]);
    for (const subnet of subnets.map(formatPrefix)) {
      const source = subnet.includes(":") ? [] : ["src", address];
      await host.output(["ip", "route", "replace", subnet, "dev", "ipsec0", ...source, "table", "220"]);
    }
    for (const node of nodeSubnets)
      await host.output(["ip", "route", "replace", node, "dev", "ipsec0", "table", "221"]);
  }
}

/** A dot parts sections to swanctl; what a connection is called the other end does not hear. */
function localName(name: string): string {
  return name.replaceAll(".", "-");
}

function formatConnection(own: TunnelEndpoint, peer: TunnelEndpoint, remote: readonly string[]): string {
  const selectors = {
    p2p: [own.subnets.map(formatPrefix), peer.subnets.map(formatPrefix)],
    n2p: [own.nodeSubnets, peer.subnets.map(formatPrefix)],
    p2n: [own.subnets.map(formatPrefix), peer.nodeSubnets],
  } as const;
  const children = CHILDREN.map((kind) => {
    const [local, far] = selectors[kind];
    return `${localName(peer.name)}-${kind} { local_ts = ${local.join(",")}
      remote_ts = ${far.join(",")}
      dpd_action = trap }`;
  });
  return `connections { ${localName(peer.name)} {
    remote_addrs = ${remote.join(",")}
    dpd_delay = 10s
    local { auth = pubkey
      certs = own.pem
      id = "${own.id}" }
    remote { auth = pubkey
      id = "${peer.id}" }
    children { ${children.join("\n")} }
  } }`;
}

async function readConfig(cluster: FabricCluster, node: string): Promise<NodeConfig> {
  const get = [
    "get",
    "configmap",
    `fabedge-agent-config-${node}`,
    `-n${NAMESPACE}`,
    "-ojsonpath={.data.tunnels\\.yaml}",
  ];
  return await waitFor(`the configuration of ${node}`, async () => {
    const config = parseNodeConfig(await cluster.kubectl(...get));
    return config.ok ? config.value : undefined;
  });
}

async function readSecret(cluster: FabricCluster, node: string, file: string): Promise<string> {
  const path = `{.data.${file.replace(".", "\\.")}}`;
  const get = ["get", "secret", `fabedge-agent-tls-${node}`, `-n${NAMESPACE}`, `-ojsonpath=${path}`];
  return await waitFor(`${file} of ${node}`, async () => {
    const text = Buffer.from(await cluster.kubectl(...get), "base64").toString();
    return text === "" ? undefined : text;
  });
}
