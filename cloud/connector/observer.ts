import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Log } from "../../src/base/log.ts";
import { type DecodeError, fail, ok, type Result } from "../../src/base/result.ts";
import type { Scope } from "../../src/base/scope.ts";
import { judgeName, readCredentials } from "../../src/certificate/fabric-credentials.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import type { Informer, InformerStatus } from "../../src/kube/informer.ts";
import { InformerFactory } from "../../src/kube/informer-factory.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import type { ObjectStore } from "../../src/kube/object-store.ts";
import { parseClusterNode } from "../../src/kube/objects/cluster-node.ts";
import {
  CONFIG_NAME_LABEL,
  CONNECTOR_CONFIG,
  CONNECTOR_TLS,
  type ConnectorDocument,
  joinConnectorConfig,
  parseConnectorDocument,
} from "../../src/kube/objects/connector-documents.ts";
import { CONNECTOR_LABEL, parsePublication, publicationName } from "../../src/kube/objects/connector-publication.ts";
import { parseIpamBlock } from "../../src/kube/objects/ipam-block.ts";
import { parseCredentialSecret } from "../../src/kube/objects/node-documents.ts";
import { Recovery } from "../../src/kube/recovery.ts";
import { CONFIG_MAPS, IPAM_BLOCKS, NODES, SECRETS, type Selection } from "../../src/kube/resource.ts";
import type { ClusterNode } from "../../src/network/cluster-node.ts";
import type { ConnectorPublication } from "../../src/network/connector-claims.ts";
import type { CertificateTexts, FabricCredentials } from "../../src/network/fabric-identity.ts";
import type { IpamBlock } from "../../src/network/ipam-block.ts";
import type { NodeConfig } from "../../src/network/node-config.ts";
import type { ConnectorFacts, ConnectorPlace } from "./facts.ts";
import type { Snapshot } from "./snapshot.ts";

export interface ObserverOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  /** The Kubernetes node's name. */
  readonly node: string;
  /** With Calico a node's pods are in IPAMBlocks, else in its podCIDRs. */
  readonly calico: boolean;
  /** What the run before this one has heard. */
  readonly snapshot: Snapshot;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The facts, or what there is to say about them, may be others. */
  readonly onChange: () => void;
}

const NODE_DECODER: ObjectDecoder<ClusterNode> = {
  resource: NODES,
  decode: (json) => parseClusterNode(json, { labels: new Set(), annotations: () => false }),
};

/**
 * What the API server says of the connectors' configuration and credentials, of this node, and of the other connectors;
 * and, until it is heard, what the run before this one knew. Nothing that was known is unlearnt because the API server
 * is away, lost it, or says what cannot be read.
 */
export class ConnectorObserver {
  readonly #options: ObserverOptions;
  readonly #observed: InformerFactory;
  readonly #documents: Informer<ConnectorDocument>;
  readonly #node: Informer<ClusterNode>;
  readonly #blocks: Informer<IpamBlock> | undefined;
  readonly #publications: Informer<ConnectorPublication>;
  #config: NodeConfig | undefined;
  #documentsInUse: ReadonlyMap<string, ConnectorDocument>;
  #credentials: FabricCredentials | undefined;
  #textsInUse: CertificateTexts | undefined;
  /** Delivered last. */
  #texts: CertificateTexts | undefined;
  #credentialTrouble: DecodeError | undefined;
  #place: ConnectorPlace | undefined;

  constructor(options: ObserverOptions, scope: Scope) {
    const { client, namespace, node, calico, snapshot, clock, random, log, onChange } = options;
    this.#options = options;
    const recovery = new Recovery(clock, random, scope);
    this.#observed = new InformerFactory({ client, onStatus: () => onChange(), recovery, clock, random, log });
    this.#documentsInUse = snapshot.documents;
    this.#config = joinConnectorConfig(snapshot.documents.values());
    this.#takeCredentials(snapshot.credentials);
    this.#place = snapshot.place;
    this.#documents = this.#observe(
      { resource: CONFIG_MAPS, decode: parseConnectorDocument, sizeBytes: ({ text }) => 2 * text.length },
      { namespace, labelSelector: `${CONFIG_NAME_LABEL}=${CONNECTOR_CONFIG}` },
      () => this.#configChanged(),
    );
    this.#observe(
      { resource: SECRETS, decode: parseCredentialSecret },
      { namespace, fieldSelector: `metadata.name=${CONNECTOR_TLS}` },
      (store) => this.#takeCredentials([...store.values()][0]?.value),
    );
    this.#node = this.#observe(NODE_DECODER, { fieldSelector: `metadata.name=${node}` }, () => this.#placeChanged());
    this.#blocks = calico
      ? this.#observe({ resource: IPAM_BLOCKS, decode: (json) => ownBlock(json, node) }, {}, () => this.#placeChanged())
      : undefined;
    this.#publications = this.#observe(
      { resource: CONFIG_MAPS, decode: parsePublication },
      { namespace, labelSelector: CONNECTOR_LABEL },
      () => undefined,
    );
    // As if they had been heard: a list that lacks most of them is not believed at once.
    for (const [name, value] of snapshot.documents) remember(this.#documents.store, `${namespace}/${name}`, value);
    for (const [of, value] of snapshot.publications) {
      remember(this.#publications.store, `${namespace}/${publicationName(of)}`, value);
    }
    this.#observed.start(scope);
  }

  get facts(): ConnectorFacts {
    const published = [...this.#publications.store.values()];
    return {
      config: this.#config,
      credentials: this.#credentials,
      place: this.#place,
      publications: new Map(published.map(({ value }) => [value.node, value])),
    };
  }

  /** What the next run has to know. */
  get snapshot(): Snapshot {
    const { publications, place } = this.facts;
    return { documents: this.#documentsInUse, credentials: this.#textsInUse, place, publications };
  }

  /** Whether what other connectors publish has been heard from the API server, and not only from the snapshot. */
  get synced(): boolean {
    return this.#publications.store.synced;
  }

  /** Asks for everything anew: what came meanwhile may have been missed. */
  relist(): void {
    this.#observed.relist();
  }

  /** Why the credentials that were delivered last are not those in use. */
  get credentialTrouble(): DecodeError | undefined {
    return this.#credentialTrouble;
  }

  get kinds(): readonly InformerStatus[] {
    return this.#observed.statuses;
  }

  #observe<T>(decoder: ObjectDecoder<T>, selection: Selection, onChange: (store: ObjectStore<T>) => void): Informer<T> {
    const informer: Informer<T> = this.#observed.observe(decoder, selection, () => {
      onChange(informer.store);
      this.#options.onChange();
    });
    return informer;
  }

  #configChanged(): void {
    const documents = [...this.#documents.store.values()];
    const config = joinConnectorConfig(documents.map(({ value }) => value));
    if (config === undefined) return;
    this.#config = config;
    this.#documentsInUse = new Map(documents.map(({ key, value }) => [key.slice(key.indexOf("/") + 1), value]));
    this.#takeCredentials(this.#texts);
  }

  #takeCredentials(texts: CertificateTexts | undefined): void {
    if (texts === undefined) return;
    this.#texts = texts;
    const read = readWhole(texts, this.#config);
    this.#credentialTrouble = read.ok ? undefined : read.error;
    if (!read.ok) return;
    this.#credentials = read.value;
    this.#textsInUse = texts;
  }

  #placeChanged(): void {
    const [node] = [...this.#node.store.values()].map(({ value }) => value);
    const [address, ...more] = node?.internalIps ?? [];
    if (node === undefined || address === undefined) return;
    const blocks = this.#blocks?.store;
    // Of blocks that are not all known yet, what was known before is the better guess.
    if (blocks?.synced === false && this.#place !== undefined) return;
    const prefixes = blocks === undefined ? node.podCidrs : [...blocks.values()].map(({ value }) => value.cidr);
    this.#place = { uid: node.uid, addresses: [address, ...more], prefixes };
  }
}

function readWhole(texts: CertificateTexts, config: NodeConfig | undefined): Result<FabricCredentials, DecodeError> {
  if (texts.key === undefined) return fail({ at: "tls.key", why: "missing" });
  const read = readCredentials(texts, texts.key);
  if (!read.ok) return read;
  const trouble = config === undefined ? undefined : judgeName(read.value.own, config.endpoint);
  return trouble === undefined ? ok(read.value.credentials) : fail(trouble);
}

function remember<T>(store: ObjectStore<T>, key: string, value: T): void {
  store.wrote({ key, uid: "", resourceVersion: "", value });
}

/** Only those of this node: a cluster has thousands. */
function ownBlock(json: unknown, node: string): Result<IpamBlock | undefined, DecodeError> {
  const block = parseIpamBlock(json);
  return block.ok && block.value?.node !== node ? ok(undefined) : block;
}
