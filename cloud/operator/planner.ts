import type { Prefix } from "../../src/base/ip.ts";
import { CONNECTOR_CONFIG, CONNECTOR_TLS, shardName } from "../../src/kube/objects/connector-documents.ts";
import { YoungGarbage } from "../../src/kube/young-garbage.ts";
import type { Community } from "../../src/network/community.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import type { PlanChange } from "./change.ts";
import { type CommunityReport, type MemberLookup, reportCommunity } from "./community-report.ts";
import {
  ABSENT,
  clusterKey,
  type Desired,
  type DesiredObject,
  type DocumentKey,
  namespacedKey,
  present,
} from "./document.ts";
import { presentWhereItFits } from "./document-size.ts";
import { EndpointBook } from "./endpoint-book.ts";
import { Membership } from "./membership.ts";
import { type EdgeNode, NodeStates } from "./node-states.ts";
import { agentConfigName, agentTlsName, connectorName, endpointName, SUBNETS_ANNOTATION } from "./object-names.ts";
import { PEER_SHARD_COUNT, PeerShards, shardOf } from "./peer-shards.ts";
import {
  ipPoolName,
  planAgentCertificate,
  planAgentConfig,
  planAgentPodObject,
  planConnectorCertificate,
  planConnectorConfig,
  planIpPool,
  planOwnCluster,
  planPeerShard,
} from "./plan.ts";
import type { Problem, Subject } from "./problem.ts";
import { type RemoteCluster, RemoteClusters } from "./remote-clusters.ts";
import type { OperatorSettings } from "./settings.ts";

/** What a change has touched. */
export interface PlanDelta {
  /** Documents that may be others now, or not be any more. */
  readonly documents: ReadonlySet<DocumentKey>;
  /** Objects whose problems or report may be others now. */
  readonly subjects: ReadonlySet<Subject>;
}

/** How a document is made. One function for the documents of all nodes: ten thousand of them take megabytes. */
interface Maker {
  readonly make: (node: string) => Desired;
  readonly node: string;
}

/**
 * From the cluster's objects to what every node must do, one change at a time. It holds the objects joined; a document
 * is made when it is asked for, so 10,000 of them are never in memory at once, and the full plan is every document
 * asked for once. The outcome depends on the objects alone, not on the order in which they came; the one exception is
 * which free subnet a node gets, which stays its own once it is in the node's annotation.
 */
export class OperatorPlanner {
  readonly #settings: OperatorSettings;
  readonly #connectorName: string;
  readonly #nodes: NodeStates;
  readonly #clusters: RemoteClusters;
  readonly #membership = new Membership();
  readonly #endpoints = new EndpointBook();
  readonly #peers = new PeerShards();
  /** Peers of the connector that are not this cluster's. */
  readonly #remotePeers = new Set<string>();
  #connector: TunnelEndpoint | undefined;
  /** Where document keys lead. */
  readonly #makers = new Map<DocumentKey, Maker>();
  readonly #garbage = new YoungGarbage();
  #documents = new Set<DocumentKey>();
  #subjects = new Set<Subject>();

  /**
   * @param objects everything there is: a node that is missing here would have its subnet given to another one
   */
  constructor(settings: OperatorSettings, objects: Iterable<PlanChange>) {
    this.#settings = settings;
    this.#connectorName = connectorName(settings.cluster);
    this.#nodes = new NodeStates(settings);
    this.#clusters = new RemoteClusters(settings);
    this.#addConnectorDocuments();
    this.#take(objects);
    // Nobody waits for what differs from nothing: whoever begins asks for every document.
    this.#delta();
  }

  apply(changes: Iterable<PlanChange>): PlanDelta {
    const { changed, renamed } = this.#take(changes);
    for (const name of changed) this.#touchPeersOf(name);
    for (const name of renamed) this.#touchConfigOf(name);
    return this.#delta();
  }

  /** Every document that should be there. */
  keys(): IterableIterator<DocumentKey> {
    return this.#makers.keys();
  }

  /** Whether it should be there, perhaps with something wrong with it. */
  has(key: DocumentKey): boolean {
    return this.#makers.has(key);
  }

  /** Whose document it is; undefined: no node's alone, or no document. */
  nodeOf(key: DocumentKey): string | undefined {
    return this.#makers.get(key)?.node || undefined;
  }

  document(key: DocumentKey): Desired {
    const maker = this.#makers.get(key);
    return maker === undefined ? ABSENT : maker.make(maker.node);
  }

  /** What is wrong with an object. */
  problems(subject: Subject): readonly Problem[] {
    const [kind, name] = [subject.slice(0, subject.indexOf("/")), subject.slice(subject.indexOf("/") + 1)];
    if (kind === "Node") return this.#nodes.problemsOf(name);
    if (kind === "Cluster") return this.#clusters.get(name)?.problems ?? [];
    return kind === "Community" ? (this.community(name)?.problems ?? []) : [];
  }

  /** Nodes of FabEdge's that have not been moved: their agents hear of no successor of the authority. */
  leftNodes(): readonly string[] {
    return this.#nodes.leftNodes();
  }

  /** What a community's status says. */
  community(key: string): CommunityReport | undefined {
    return reportCommunity(key, this.#membership, this.#lookup);
  }

  /** An edge node, and what follows from it; undefined: another node, or none. */
  edge(node: string): EdgeNode | undefined {
    return this.#nodes.edge(node);
  }

  /** The pod networks of a node of this cluster. */
  podSubnets(node: string): readonly Prefix[] {
    return this.#nodes.podSubnets(node);
  }

  /** Whom an endpoint of this cluster has tunnels with, sorted. */
  peersOf(name: string): readonly string[] {
    if (!this.#endpoints.has(name)) return [];
    if (name === this.#connectorName) return this.#peers.all();
    const names = new Set([this.#connectorName, ...this.#membership.peersOf(name)]);
    return [...names].filter((peer) => this.#endpoints.has(peer)).sort();
  }

  /** What other clusters have that is of use here. */
  remoteClusters(): IterableIterator<RemoteCluster> {
    return this.#clusters.values();
  }

  /** This cluster's own endpoint, as it is registered with others. */
  get connector(): TunnelEndpoint {
    return this.#nodes.connector;
  }

  /** @returns endpoints that are others now, and those whose peers may be */
  #take(changes: Iterable<PlanChange>): { readonly changed: Set<string>; readonly renamed: Set<string> } {
    const renamed = new Set<string>();
    for (const change of changes) {
      switch (change.kind) {
        case "Node":
          this.#nodes.setNode(change.key, change.value);
          break;
        case "IPAMBlock":
          this.#nodes.setBlock(change.key, change.value);
          break;
        case "AgentPod":
          this.#nodes.setAgentPod(change.key, change.value);
          break;
        case "Cluster":
          this.#clusters.set(change.key, change.value);
          break;
        case "Community":
          this.#setCommunity(change.key, change.value, renamed);
          break;
      }
    }
    const changed = this.#settleNodes();
    if (this.#settleConnector()) changed.add(this.#connectorName);
    for (const name of changed) this.#clusters.setOwn(name, this.#ownEndpoint(name)?.subnets ?? []);
    for (const name of this.#settleClusters()) changed.add(name);
    this.#settleConnectorPeers(changed, renamed);
    return { changed, renamed };
  }

  #delta(): PlanDelta {
    const delta = { documents: this.#documents, subjects: this.#subjects };
    this.#documents = new Set();
    this.#subjects = new Set();
    return delta;
  }

  #setCommunity(key: string, community: Community | undefined, renamed: Set<string>): void {
    const touched = this.#membership.set(key, community);
    for (const name of touched.endpoints) renamed.add(name);
    for (const other of touched.communities) this.#subjects.add(`Community/${other}`);
  }

  #settleNodes(): Set<string> {
    const changed = new Set<string>();
    for (const node of this.#nodes.settle()) {
      this.#garbage.add();
      this.#subjects.add(`Node/${node}`);
      const edge = this.#nodes.edge(node);
      const name = endpointName(this.#settings.cluster, node);
      // A node of the connector's name never has an endpoint of its own.
      const another = name !== this.#connectorName && this.#endpoints.setLocal(name, edge?.endpoint);
      if (another) changed.add(name);
      const config = namespacedKey("ConfigMap", this.#settings.namespace, agentConfigName(node));
      // A community tells a node that is not there from one with which something is wrong.
      if (this.#makers.has(config) !== (edge !== undefined)) this.#touchCommunitiesOf(name);
      this.#touchNode(node, edge);
    }
    return changed;
  }

  #touchNode(node: string, edge: EdgeNode | undefined): void {
    const { namespace } = this.#settings;
    const put = (key: DocumentKey, wanted: boolean, make: Maker["make"]) =>
      this.#put(key, wanted ? make : undefined, node);
    const isPod = edge?.mode === "pod" || this.#nodes.foreignAgent(node) !== undefined;
    put(namespacedKey("ConfigMap", namespace, agentConfigName(node)), edge !== undefined, this.#agentConfig);
    put(namespacedKey("Secret", namespace, agentTlsName(node)), edge !== undefined, this.#agentCertificate);
    put(namespacedKey("Pod", namespace, node), isPod, this.#agentPod);
    put(clusterKey("NodeAnnotations", node), edge?.annotation !== undefined, this.#nodeAnnotations);
  }

  // Of one node each, and one function for them all.

  readonly #agentCertificate = (node: string): Desired =>
    this.#whileEdge(node, (edge) =>
      planAgentCertificate(edge, this.#nodes.foreignAgent(node) !== undefined, this.#settings),
    );

  readonly #agentPod = (node: string): Desired => {
    const left = this.#nodes.foreignAgent(node);
    if (left !== undefined) return { state: "held", problems: [left] };
    return this.#whileEdge(node, (edge) => planAgentPodObject(edge, this.#settings));
  };

  readonly #nodeAnnotations = (node: string): Desired => {
    const annotation = this.#nodes.edge(node)?.annotation;
    if (annotation === undefined) return ABSENT;
    return present({ kind: "NodeAnnotations", name: node, annotations: { [SUBNETS_ANNOTATION]: annotation } });
  };

  #whileEdge(node: string, make: (edge: EdgeNode) => DesiredObject): Desired {
    const edge = this.#nodes.edge(node);
    if (edge === undefined) return ABSENT;
    return edge.endpoint === undefined ? { state: "held", problems: edge.problems } : present(make(edge));
  }

  #settleClusters(): ReadonlySet<string> {
    const changed = new Set<string>();
    for (const [key, before] of this.#clusters.settle()) {
      this.#subjects.add(`Cluster/${key}`);
      const now = this.#clusters.get(key);
      const endpoints = new Map(now?.endpoints.map((endpoint) => [endpoint.name, endpoint]));
      for (const { name } of before?.endpoints ?? []) {
        if (!endpoints.has(name) && this.#endpoints.setRemote(key, name, undefined)) changed.add(name);
      }
      for (const [name, endpoint] of endpoints) {
        if (this.#endpoints.setRemote(key, name, endpoint)) changed.add(name);
      }
      this.#settlePools(before, now);
    }
    return changed;
  }

  #settlePools(before: RemoteCluster | undefined, now: RemoteCluster | undefined): void {
    if (!this.#keepsPools) return;
    for (const cidr of before?.cidrs ?? []) this.#putPool(before?.cluster.name ?? "", cidr, false);
    for (const cidr of now?.cidrs ?? []) this.#putPool(now?.cluster.name ?? "", cidr, true);
  }

  get #keepsPools(): boolean {
    return this.#settings.cni === "calico" && this.#settings.keepIpPools;
  }

  #putPool(cluster: string, cidr: Prefix, wanted: boolean): void {
    const make = () => present(planIpPool(cluster, cidr));
    this.#put(clusterKey("IPPool", ipPoolName(cluster, cidr)), wanted ? make : undefined);
  }

  /** A changed endpoint is in the documents of all who have it as a peer. */
  #touchPeersOf(name: string): void {
    this.#touchConfigOf(name);
    for (const peer of this.#membership.peersOf(name)) this.#touchConfigOf(peer);
    this.#touchCommunitiesOf(name);
  }

  #touchCommunitiesOf(name: string): void {
    // One that leaves the cluster's name out is told what was perhaps meant.
    for (const written of [name, this.#nodeOf(name) ?? name]) {
      for (const key of this.#membership.communitiesOf(written)) this.#subjects.add(`Community/${key}`);
    }
  }

  #touchConfigOf(name: string): void {
    const node = this.#nodeOf(name);
    if (node === undefined || this.#nodes.edge(node) === undefined) return;
    this.#documents.add(namespacedKey("ConfigMap", this.#settings.namespace, agentConfigName(node)));
  }

  /** @returns whether the connector is another one now, which every edge node has as a peer */
  #settleConnector(): boolean {
    const connector = this.#nodes.connector;
    if (connector === this.#connector) return false;
    this.#connector = connector;
    if (!this.#endpoints.setLocal(connector.name, connector)) return false;
    this.#documents.add(this.#configKey(CONNECTOR_CONFIG));
    if (this.#settings.role === "host") this.#documents.add(clusterKey("Cluster", this.#settings.cluster));
    for (const { node } of this.#nodes.edges()) {
      this.#documents.add(namespacedKey("ConfigMap", this.#settings.namespace, agentConfigName(node.name)));
    }
    return true;
  }

  /**
   * @param changed endpoints that are others now
   * @param renamed endpoints whose peers may be others
   */
  #settleConnectorPeers(changed: ReadonlySet<string>, renamed: ReadonlySet<string>): void {
    const before = this.#peers.shardCount;
    const own = new Set(this.#membership.peersOf(this.#connectorName));
    const touched = new Set([...changed, ...renamed]);
    touched.delete(this.#connectorName);
    for (const name of touched) {
      const edge = this.#nodes.edge(this.#nodeOf(name) ?? "")?.endpoint !== undefined;
      const wanted = edge || (own.has(name) && this.#endpoints.has(name));
      if (wanted && !edge) this.#remotePeers.add(name);
      else this.#remotePeers.delete(name);
      const another = this.#peers.set(name, wanted);
      if (another || (wanted && changed.has(name))) this.#touchShardOf(name);
    }
    if (before !== this.#peers.shardCount) this.#reshard();
  }

  #touchShardOf(name: string): void {
    const sharded = this.#peers.shardCount > 0;
    this.#documents.add(this.#configKey(sharded ? shardName(CONNECTOR_CONFIG, shardOf(name)) : CONNECTOR_CONFIG));
  }

  #reshard(): void {
    const sharded = this.#peers.shardCount > 0;
    this.#documents.add(this.#configKey(CONNECTOR_CONFIG));
    for (let shard = 0; shard < PEER_SHARD_COUNT; shard++) {
      const make = () =>
        presentWhereItFits(planPeerShard(shard, this.#texts(this.#peers.shard(shard)), this.#settings));
      this.#put(this.#configKey(shardName(CONNECTOR_CONFIG, shard)), sharded ? make : undefined);
    }
  }

  #addConnectorDocuments(): void {
    const settings = this.#settings;
    this.#put(this.#configKey(CONNECTOR_CONFIG), () => {
      const { shardCount } = this.#peers;
      const texts = this.#texts(shardCount > 0 ? [] : this.#peers.all());
      return presentWhereItFits(planConnectorConfig(this.connector, texts, shardCount, settings));
    });
    this.#put(namespacedKey("Secret", settings.namespace, CONNECTOR_TLS), () =>
      present(planConnectorCertificate(settings)),
    );
    if (settings.role === "host") {
      this.#put(clusterKey("Cluster", settings.cluster), () => present(planOwnCluster(this.connector, settings)));
    }
    if (this.#keepsPools) for (const { cidr } of settings.edgePools) this.#putPool(settings.cluster, cidr, true);
  }

  readonly #agentConfig = (node: string): Desired => {
    const edge = this.#nodes.edge(node);
    if (edge === undefined) return ABSENT;
    if (edge.endpoint === undefined) return { state: "held", problems: edge.problems };
    const others = this.#membership.peersOf(edge.endpoint.name).filter((name) => name !== this.#connectorName);
    const peers = this.#texts([this.#connectorName, ...others]);
    return presentWhereItFits(planAgentConfig(edge, edge.endpoint, peers, this.connector, this.#settings));
  };

  #texts(names: readonly string[]): readonly string[] {
    return names.flatMap((name) => this.#endpoints.peerText(name) ?? []);
  }

  /** @param node whose document it is; empty: nobody's alone */
  #put(key: DocumentKey, make: Maker["make"] | undefined, node = ""): void {
    const before = this.#makers.has(key);
    if (make === undefined) this.#makers.delete(key);
    else this.#makers.set(key, { make, node });
    if (before || make !== undefined) this.#documents.add(key);
  }

  #configKey(name: string): DocumentKey {
    return namespacedKey("ConfigMap", this.#settings.namespace, name);
  }

  #nodeOf(endpoint: string): string | undefined {
    const prefix = `${this.#settings.cluster}.`;
    return endpoint.startsWith(prefix) ? endpoint.slice(prefix.length) : undefined;
  }

  #ownEndpoint(name: string): TunnelEndpoint | undefined {
    return name === this.#connectorName ? this.connector : this.#nodes.edge(this.#nodeOf(name) ?? "")?.endpoint;
  }

  readonly #lookup: MemberLookup = {
    usable: (name) => this.#endpoints.has(name),
    known: (name) => this.#nodes.edge(this.#nodeOf(name) ?? "") !== undefined,
    meant: (name) => {
      const own = endpointName(this.#settings.cluster, name);
      return this.#endpoints.has(own) ? own : undefined;
    },
  };
}
