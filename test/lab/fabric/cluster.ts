import { resolve } from "node:path";
import { ApiServer } from "../api-server.ts";
import type { Host } from "../host.ts";
import type { LabProcess } from "../process.ts";
import { formatManifest, type KubernetesObject, type ServiceDescription, serviceObjects } from "../service-objects.ts";
import { toolPaths } from "../tools.ts";
import type { EdgeNode, FabricNetwork, FabricNode } from "./network.ts";

export const CLUSTER = "paris";
export const NAMESPACE = "fabedge";
export const CLUSTER_CIDRS = ["10.244.0.0/16", "fd00:10:244::/48"];
export const SERVICE_CIDRS = ["10.96.0.0/16", "fd00:10:96::/112"];

const ROOT = resolve(import.meta.dir, "../../..");
const CLOUD_PROGRAM = `${ROOT}/dist/selvedge-cloud-linux-x64`;
const KUBECONFIG = "/etc/selvedge/kubeconfig";
const EDGE_LABEL = "node-role.kubernetes.io/edge";
const CONNECTOR_LABEL = "node-role.kubernetes.io/connector";

/** The fabric's Kubernetes: a real API server with the nodes as kubelets would have registered them, and our operator. */
export class FabricCluster {
  readonly network: FabricNetwork;
  readonly server: ApiServer;
  readonly operator: LabProcess;
  readonly #kubectl: string;

  /** Needs the compiled programs in dist. @param edges those that are there from the beginning */
  static async start(network: FabricNetwork, edges = network.edges): Promise<FabricCluster> {
    const tools = await toolPaths("etcd", "kube-apiserver", "kubectl");
    const { host, publicAddress } = network.control;
    const server = await ApiServer.start(host, publicAddress, tools);
    for (const node of network.nodes) await node.host.writeFile(KUBECONFIG, server.administratorKubeconfig, "0600");
    const kubectl = (...argv: readonly string[]) => host.output([tools.kubectl, `--kubeconfig=${KUBECONFIG}`, ...argv]);
    await kubectl("apply", "--server-side", `--filename=${ROOT}/cloud/crds`);
    await kubectl("create", "namespace", NAMESPACE);
    const operator = await host.spawn(
      [
        ...[CLOUD_PROGRAM, "operator", `--kubeconfig=${KUBECONFIG}`, `--cluster=${CLUSTER}`, "--cni-type=flannel"],
        ...[`--cluster-cidr=${CLUSTER_CIDRS.join(",")}`, `--connector-subnets=${SERVICE_CIDRS.join(",")}`],
        `--connector-public-addresses=${network.clouds.map((cloud) => cloud.publicAddress).join(",")}`,
      ],
      { ready: /operator\.leading/ },
    );
    const cluster = new FabricCluster(network, server, operator, tools.kubectl);
    for (const node of [network.control, ...network.clouds]) await cluster.register(node);
    for (const edge of edges) await cluster.registerEdge(edge);
    return cluster;
  }

  private constructor(network: FabricNetwork, server: ApiServer, operator: LabProcess, kubectl: string) {
    this.network = network;
    this.server = server;
    this.operator = operator;
    this.#kubectl = kubectl;
  }

  /** On any host of the fabric: the way to the API server, with all rights. */
  get kubeconfig(): string {
    return KUBECONFIG;
  }

  /** What kubelet does when it joins; cloud nodes but the control plane carry a connector. */
  async register(node: FabricNode): Promise<void> {
    const isConnector = this.network.clouds.some((cloud) => cloud.name === node.name);
    await this.#register(node, isConnector ? { [CONNECTOR_LABEL]: "" } : {}, {});
  }

  async registerEdge(edge: EdgeNode): Promise<void> {
    const annotations = { "fabedge.io/node-public-addresses": edge.publicAddress };
    await this.#register(edge, { [EDGE_LABEL]: "" }, annotations);
  }

  async applyCommunity(name: string, members: readonly string[]): Promise<void> {
    const spec = { members: members.map((member) => `${CLUSTER}.${member}`) };
    await this.apply({ apiVersion: "fabedge.io/v1alpha1", kind: "Community", metadata: { name }, spec });
  }

  async declareService(description: ServiceDescription): Promise<void> {
    await this.apply(...serviceObjects(description));
  }

  async apply(...objects: readonly KubernetesObject[]): Promise<void> {
    const { host } = this.network.control;
    await host.writeFile("/run/applied.yaml", formatManifest(objects));
    await this.kubectl("apply", "--server-side", "--force-conflicts", "--filename=/run/applied.yaml");
  }

  /** @returns standard output */
  kubectl(...argv: readonly string[]): Promise<string> {
    return this.host.output([this.#kubectl, `--kubeconfig=${KUBECONFIG}`, ...argv]);
  }

  /** The control plane's. */
  get host(): Host {
    return this.network.control.host;
  }

  async #register(
    { name, address, podCidrs }: FabricNode,
    labels: Readonly<Record<string, string>>,
    annotations: Readonly<Record<string, string>>,
  ): Promise<void> {
    const metadata = { name, labels, annotations };
    await this.apply({ apiVersion: "v1", kind: "Node", metadata, spec: { podCIDR: podCidrs[0], podCIDRs: podCidrs } });
    const status = { addresses: [{ type: "InternalIP", address }] };
    const patch = `--patch=${JSON.stringify({ status })}`;
    await this.kubectl("patch", "node", name, "--subresource=status", "--type=merge", patch);
  }
}
