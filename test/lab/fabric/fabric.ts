import type { LabProcess } from "../process.ts";
import { toolPaths } from "../tools.ts";
import { CloudConnector } from "./cloud-connector.ts";
import { startNodeAgent } from "./cloud-node-agent.ts";
import { FabricCluster } from "./cluster.ts";
import { EdgeAgent } from "./edge-agent.ts";
import { startKubeProxy } from "./kube-proxy.ts";
import { FabricNetwork } from "./network.ts";
import { PAGE_PORT, servePages } from "./page.ts";

/** Everything that a fabric is made of, running: one cluster with its connectors, a node-agent and the edges' agents. */
export class Fabric implements AsyncDisposable {
  readonly network: FabricNetwork;
  readonly cluster: FabricCluster;
  readonly connectors: readonly CloudConnector[];
  readonly nodeAgent: LabProcess;
  readonly agents: readonly EdgeAgent[];

  /**
   * Needs the compiled programs in dist, and scripts/tools.
   *
   * @param lateEdges so many of the edges, the last ones, have their agent running and are not nodes of the cluster yet
   */
  static async start({ clouds = 2, edges = 2, lateEdges = 0 } = {}): Promise<Fabric> {
    const network = await FabricNetwork.create({ clouds, edges });
    try {
      const tools = await toolPaths("kube-proxy");
      const cluster = await FabricCluster.start(network, network.edges.slice(0, edges - lateEdges));
      await Promise.all(network.nodes.flatMap((node) => [servePages(node.pod), servePages(node.host)]));
      const [connectors, nodeAgent, agents] = await Promise.all([
        Promise.all(network.clouds.map((node) => CloudConnector.start(cluster, node))),
        startNodeAgent(cluster, network.control),
        Promise.all(network.edges.map((node) => EdgeAgent.start(cluster, node))),
        ...[network.control, ...network.clouds].map((node) => startKubeProxy(cluster, node, tools["kube-proxy"])),
      ]);
      return new Fabric(network, cluster, connectors, nodeAgent, agents);
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(
    network: FabricNetwork,
    cluster: FabricCluster,
    connectors: readonly CloudConnector[],
    nodeAgent: LabProcess,
    agents: readonly EdgeAgent[],
  ) {
    this.network = network;
    this.cluster = cluster;
    this.connectors = connectors;
    this.nodeAgent = nodeAgent;
    this.agents = agents;
  }

  /** A service with the pods of these nodes behind it. */
  async declareService(name: string, clusterIp: string, nodes: readonly string[]): Promise<void> {
    const endpoints = nodes.map((node) => {
      const found = this.network.nodes.find((one) => one.name === node);
      if (found === undefined) throw new Error(`Cannot find node ${node} in the fabric`);
      return found.podAddresses[0];
    });
    await this.cluster.declareService({ namespace: "default", name, clusterIp, targetPort: PAGE_PORT, endpoints });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
  }
}
