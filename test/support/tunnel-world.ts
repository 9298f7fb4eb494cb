import { formatNodeConfig } from "../../src/network/node-config-text.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import type { TunnelReport } from "../../src/network/tunnel-report.ts";
import { Charon } from "../lab/charon.ts";
import { CharonCertificates } from "../lab/charon-certificates.ts";
import { type CloudNode, type EdgeNode, FabricNetwork, type FabricNode } from "../lab/fabric/network.ts";
import { PlainConnector } from "../lab/plain-connector.ts";
import type { LabProcess } from "../lab/process.ts";
import { type WaitOptions, waitFor } from "../lab/wait-for.ts";
import { AGENT, type AgentOptions, selvedge } from "./edge-world.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "./tunnel-objects.ts";

export const CONNECTOR = "paris.connector";
/** What a pool of connectors has behind each of them. */
export const POOL = { pods: "10.250.0.0/24", pod: "10.250.0.1", node: "10.251.0.1" };
const TUNNELS_CONF = "/etc/fabedge/tunnels.yaml";

/**
 * Edge nodes behind routers of their own, connectors that are plain strongSwan, and our agent, which reads what FabEdge's
 * operator mounts.
 */
export class TunnelWorld implements AsyncDisposable {
  readonly network: FabricNetwork;
  readonly certificates = new CharonCertificates();

  static async create(options: { readonly clouds?: number; readonly edges?: number } = {}): Promise<TunnelWorld> {
    return new TunnelWorld(await FabricNetwork.create({ clouds: 1, edges: 2, ...options }));
  }

  private constructor(network: FabricNetwork) {
    this.network = network;
  }

  /** @param number from 1 */
  edge(number: number): EdgeNode {
    const node = this.network.edges[number - 1];
    if (node === undefined) throw new Error(`There is no edge ${number}`);
    return node;
  }

  cloud(number: number): CloudNode {
    const node = this.network.clouds[number - 1];
    if (node === undefined) throw new Error(`There is no cloud node ${number}`);
    return node;
  }

  endpoint(node: EdgeNode): TunnelEndpoint {
    const { publicAddress, podCidrs, address } = node;
    return makeEdgeEndpoint(`paris.${node.name}`, {
      publicAddresses: [publicAddress],
      subnets: podCidrs,
      nodeSubnets: [address],
    });
  }

  /** A connector with what is on its own node behind it. */
  connectorEndpoint({ publicAddress, podCidrs, address }: CloudNode): TunnelEndpoint {
    return makeConnectorEndpoint(CONNECTOR, {
      publicAddresses: [publicAddress],
      subnets: podCidrs,
      nodeSubnets: [address],
    });
  }

  /** Connectors with the same behind each: POOL.pod and POOL.node, which all of them answer for. */
  poolEndpoint(...nodes: readonly CloudNode[]): TunnelEndpoint {
    return makeConnectorEndpoint(CONNECTOR, {
      publicAddresses: nodes.map(({ publicAddress }) => publicAddress),
      subnets: [POOL.pods],
      nodeSubnets: [POOL.node],
    });
  }

  startConnector(node: CloudNode): Promise<PlainConnector> {
    return this.#startConnector(node, this.connectorEndpoint(node));
  }

  async startPoolConnector(node: CloudNode): Promise<PlainConnector> {
    await node.host.ip(`address add ${POOL.pod}/32 dev lo`, `address add ${POOL.node}/32 dev lo`);
    return this.#startConnector(node, this.poolEndpoint(node));
  }

  #startConnector(node: CloudNode, own: TunnelEndpoint): Promise<PlainConnector> {
    const edges = this.network.edges.map((edge) => this.endpoint(edge));
    return PlainConnector.start(node.host, own, edges, this.certificates.issue(CONNECTOR), this.certificates.authority);
  }

  /** Certificate, key and authority where charon's own starter would read them. */
  async certify(node: EdgeNode, over: Parameters<CharonCertificates["issue"]>[1] = {}): Promise<void> {
    const { certificate, privateKey } = this.certificates.issue(`paris.${node.name}`, over);
    await node.host.writeFile("/etc/ipsec.d/cacerts/ca.crt", this.certificates.authority);
    await node.host.writeFile("/etc/ipsec.d/private/tls.key", privateKey, "0600");
    await node.host.writeFile("/etc/ipsec.d/certs/tls.crt", certificate);
  }

  async configure(node: EdgeNode, peers: readonly TunnelEndpoint[], own = this.endpoint(node)): Promise<void> {
    const text = formatNodeConfig({ endpoint: own, peers, mediator: undefined, peerShards: 0 });
    await node.host.writeFile(`${TUNNELS_CONF}.new`, text);
    await node.host.output(["mv", `${TUNNELS_CONF}.new`, TUNNELS_CONF]);
  }

  /** Names and services are other tests' business. */
  startAgent(node: EdgeNode, { args = [], program = AGENT }: AgentOptions = {}): Promise<LabProcess> {
    const settings = [
      ...["--enable-proxy=false", "--enable-dns=false", "--source=hub", "--source-url=http://127.0.0.1:1"],
      "--cni-bin-path=/var/lib/cni/bin",
      ...[`--node-name=${node.name}`, `--tunnels-conf=${TUNNELS_CONF}`, `--state-dir=/var/lib/selvedge`],
    ];
    return node.host.spawn([program, "run", ...settings, ...args], { ready: /agent\.ready/ });
  }

  /** Everything that an edge node needs, running. */
  async startEdge(node: EdgeNode, peers: readonly TunnelEndpoint[]): Promise<StartedEdge> {
    await this.certify(node);
    await this.configure(node, peers);
    return this.startCharonAndAgent(node);
  }

  async startCharonAndAgent(node: EdgeNode): Promise<StartedEdge> {
    const charon = await Charon.start(node.host);
    return { charon, agent: await this.startAgent(node) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
  }
}

export interface StartedEdge {
  readonly charon: Charon;
  readonly agent: LabProcess;
}

export async function tunnelsOf({ host }: FabricNode): Promise<readonly TunnelReport[]> {
  const { stdout } = await selvedge(host, "tunnels -o json");
  return stdout === "" ? [] : JSON.parse(stdout).items;
}

/** @returns when all children of the tunnel carry packets */
export function tunnelUp(node: FabricNode, peer: string, options: WaitOptions = {}): Promise<TunnelReport> {
  return waitFor(
    `the tunnel of ${node.name} to ${peer}`,
    async () => (await tunnelsOf(node)).find((tunnel) => tunnel.peer === peer && tunnel.state === "up"),
    options,
  );
}
