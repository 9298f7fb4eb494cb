import type { Ip, Prefix } from "../../src/base/ip.ts";
import { YoungGarbage } from "../../src/kube/young-garbage.ts";
import type { ClusterNode } from "../../src/network/cluster-node.ts";
import type { IpamBlock } from "../../src/network/ipam-block.ts";
import { IKE_PORT, type TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { AddressUsers } from "./address-users.ts";
import { type AgentArguments, planAgentArguments } from "./agent-arguments.ts";
import { checkEdgeNode, checkForeignAgent, isEdgeNode, readAgentMode, readPublicAddresses } from "./edge-node.ts";
import { ForeignAgents } from "./foreign-agents.ts";
import { connectorName, endpointName } from "./object-names.ts";
import type { AgentPod } from "./observed-documents.ts";
import { PodSubnets } from "./pod-subnets.ts";
import { Pool } from "./pool.ts";
import type { Problem } from "./problem.ts";
import type { AgentMode, OperatorSettings } from "./settings.ts";

/** An edge node and what follows from it alone. */
export interface EdgeNode {
  readonly node: ClusterNode;
  readonly mode: AgentMode;
  readonly arguments: AgentArguments;
  /** Undefined while it cannot be one: the problems say why. */
  readonly endpoint: TunnelEndpoint | undefined;
  /** What `fabedge.io/subnets` should say; undefined: what it says already. */
  readonly annotation: string | undefined;
  readonly problems: readonly Problem[];
}

interface CloudNode {
  readonly internalIps: readonly Ip[];
  readonly subnets: readonly Prefix[];
  readonly problems: readonly Problem[];
}

/** The nodes of this cluster: each edge node by itself, the others together as what is behind the connector. */
export class NodeStates {
  readonly #settings: OperatorSettings;
  readonly #subnets: PodSubnets;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #edges = new Map<string, EdgeNode>();
  readonly #cloud = new Map<string, CloudNode>();
  readonly #addresses = new AddressUsers();
  readonly #foreignAgents = new ForeignAgents();
  /** As of the last time; see `#makeEndpoint`. */
  #ownAgentsOnly = true;
  readonly #arguments = new Pool<AgentArguments>((values) => JSON.stringify([...values]));
  readonly #garbage = new YoungGarbage();
  #connector: TunnelEndpoint | undefined;

  constructor(settings: OperatorSettings) {
    this.#settings = settings;
    this.#subnets = new PodSubnets(settings);
  }

  setNode(name: string, node: ClusterNode | undefined): void {
    this.#addresses.set(name, node?.internalIps ?? [], node !== undefined && !isEdgeNode(node, this.#settings));
    if (node === undefined) {
      this.#nodes.delete(name);
      this.#subnets.deleteNode(name);
      return;
    }
    this.#nodes.set(name, node);
    if (isEdgeNode(node, this.#settings)) this.#subnets.setEdge(node);
    else this.#subnets.setCloud(node);
  }

  setBlock(name: string, block: IpamBlock | undefined): void {
    this.#subnets.setBlock(name, block);
  }

  setAgentPod(key: string, pod: AgentPod | undefined): void {
    this.#foreignAgents.setPod(key, pod);
  }

  /** Brings everything up to date. @returns the nodes for which something may be different */
  settle(): ReadonlySet<string> {
    const touched = new Set([...this.#subnets.settle(), ...this.#addresses.settle(), ...this.#foreignAgents.settle()]);
    if (this.#foreignAgents.isEmpty !== this.#ownAgentsOnly) {
      this.#ownAgentsOnly = this.#foreignAgents.isEmpty;
      for (const name of this.#addresses.sharers()) touched.add(name);
    }
    for (const name of touched) {
      this.#garbage.add();
      if (this.#cloud.delete(name)) this.#connector = undefined;
      this.#edges.delete(name);
      const node = this.#nodes.get(name);
      if (node === undefined) continue;
      if (isEdgeNode(node, this.#settings)) {
        this.#edges.set(name, this.#readEdge(node));
      } else {
        this.#cloud.set(name, { internalIps: node.internalIps, ...this.#subnets.cloud(name) });
        this.#connector = undefined;
      }
    }
    return touched;
  }

  edge(name: string): EdgeNode | undefined {
    return this.#edges.get(name);
  }

  edges(): IterableIterator<EdgeNode> {
    return this.#edges.values();
  }

  podSubnets(name: string): readonly Prefix[] {
    return this.#edges.get(name)?.endpoint?.subnets ?? this.#cloud.get(name)?.subnets ?? [];
  }

  problemsOf(name: string): readonly Problem[] {
    const problems = this.#edges.get(name)?.problems ?? this.#cloud.get(name)?.problems ?? [];
    const foreign = this.foreignAgent(name);
    return foreign === undefined ? problems : [...problems, foreign];
  }

  /** Why the agent on a node is left as it is; undefined: it is ours to run, or to end. */
  foreignAgent(name: string): Problem | undefined {
    return this.#foreignAgents.has(name) ? checkForeignAgent(name, this.#nodes.get(name)) : undefined;
  }

  /** Nodes whose agents are left as they are. */
  leftNodes(): readonly string[] {
    return [...this.#foreignAgents.nodes()].filter((name) => this.foreignAgent(name) !== undefined);
  }

  get connector(): TunnelEndpoint {
    this.#connector ??= this.#makeConnector();
    return this.#connector;
  }

  #readEdge(node: ClusterNode): EdgeNode {
    const settings = this.#settings;
    const addresses = readPublicAddresses(node);
    const mode = readAgentMode(node, settings);
    const values = planAgentArguments(node, settings);
    const subnets = this.#subnets.edge(node.name) ?? { subnets: [], annotation: undefined, problems: [] };
    const problems = [
      ...checkEdgeNode(node, settings),
      ...this.#addresses.problemsOf(node.name),
      ...subnets.problems,
      ...addresses.problems,
      ...mode.problems,
      ...values.problems,
    ];
    const usable = !problems.some((problem) => problem.severity === "failed");
    return {
      node,
      mode: mode.mode,
      arguments: this.#arguments.intern(values.arguments),
      endpoint: usable ? this.#makeEndpoint(node, addresses.addresses, subnets.subnets) : undefined,
      annotation: subnets.annotation,
      problems,
    };
  }

  #makeEndpoint(node: ClusterNode, publicAddresses: readonly string[], subnets: readonly Prefix[]): TunnelEndpoint {
    const name = endpointName(this.#settings.cluster, node.name);
    const id = endpointId(this.#settings, name);
    // FabEdge's agents make a child of no addresses of all the host's, which no other end has, and no route then.
    const nodeSubnets = this.#foreignAgents.isEmpty ? this.#addresses.ownedBy(node.name) : node.internalIps;
    return { id, name, publicAddresses, port: undefined, subnets, nodeSubnets, type: "EdgeNode" };
  }

  #makeConnector(): TunnelEndpoint {
    const { cluster, connector } = this.#settings;
    const name = connectorName(cluster);
    // A node without an address or without pods has nothing behind it yet.
    const nodes = [...this.#cloud]
      .filter(([, node]) => node.internalIps.length > 0 && node.subnets.length > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      id: endpointId(this.#settings, name),
      name,
      publicAddresses: connector.publicAddresses,
      port: connector.publicPort === IKE_PORT ? undefined : connector.publicPort,
      subnets: [...connector.subnets, ...nodes.flatMap(([, node]) => node.subnets)],
      nodeSubnets: nodes.flatMap(([, node]) => node.internalIps),
      type: "Connector",
    };
  }
}

function endpointId(settings: OperatorSettings, name: string): string {
  return settings.endpointIdFormat.replaceAll("{node}", () => name);
}
