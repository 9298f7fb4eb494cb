import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Duration } from "../../src/base/duration.ts";
import { errorCode } from "../../src/base/errors.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { getObject } from "../../src/kube/get.ts";
import type { Informer } from "../../src/kube/informer.ts";
import type { Manifest } from "../../src/kube/manifest.ts";
import type { Stored } from "../../src/kube/object-store.ts";
import { CONNECTOR_CONFIG } from "../../src/kube/objects/connector-documents.ts";
import { appliedPart, contentDigest } from "../../src/kube/owned-fields.ts";
import { CONFIG_MAPS, IP_POOLS, NODES, type Resource, SECRETS } from "../../src/kube/resource.ts";
import type { KubeWriter, Precondition, Written } from "../../src/kube/writer.ts";
import { YoungGarbage } from "../../src/kube/young-garbage.ts";
import type { Cluster } from "../../src/network/cluster.ts";
import type { ClusterNode } from "../../src/network/cluster-node.ts";
import { AgentPodWriter } from "./agent-pod-writer.ts";
import { trustBundle } from "./authority-plan.ts";
import { readLeaf, type Signer, takeLeafStep } from "./certificates.ts";
import type {
  Desired,
  DesiredCertificate,
  DesiredNodeAnnotations,
  DesiredObject,
  DesiredPod,
  DocumentKey,
} from "./document.ts";
import { keepCertificate, pemOf } from "./kept-certificate.ts";
import { planLeaf } from "./leaf-plan.ts";
import { type PlannedManifest, planManifest } from "./manifest-plan.ts";
import { agentConfigName, agentTlsName } from "./object-names.ts";
import { type AgentPod, LEAF_TEXTS_DECODER, type LeafSecret, type Reported } from "./observed-documents.ts";
import type { Rollout } from "./rollout.ts";
import { type LeafTexts, planLeafManifest, planLeafMetadata } from "./secret-manifest.ts";

/** What is there of what the plan wants. */
export interface ObservedDocuments {
  readonly configMaps: Informer<string>;
  readonly secrets: Informer<LeafSecret>;
  readonly pods: Informer<AgentPod>;
  /** Undefined where Calico is not there. */
  readonly ipPools: Informer<string> | undefined;
  readonly nodes: Informer<Reported<ClusterNode>>;
  readonly clusters: Informer<Reported<Cluster>>;
}

export interface DocumentWriterOptions {
  readonly observed: ObservedDocuments;
  readonly client: KubeClient;
  readonly writer: KubeWriter;
  /** Undefined: certificates are another cluster's to issue. @throws SelvedgeError where the authority is unusable */
  readonly signer: () => Signer | undefined;
  readonly rollout: Rollout;
  readonly clock: Clock;
  readonly random: Random;
  readonly onWrite: (verb: "apply" | "delete", key: DocumentKey) => void;
}

/** ConfigMaps that come and go: those of nodes, and further ones of the connector's peers. */
const PLANNED_CONFIG_MAP = new RegExp(`^(?:${agentConfigName("")}.+|${CONNECTOR_CONFIG}-\\d+)$`);

/** A certificate that is parsed and verified, or issued, leaves as much behind as a text of this length. */
const CERTIFICATE_TEXT_BYTES = 16 * 1024;

/** Brings one document at a time to what the plan says, writing only what differs from what is there. */
export class DocumentWriter {
  readonly #options: DocumentWriterOptions;
  readonly #garbage = new YoungGarbage();
  /** Documents whose names are taken, it turned out, by objects that no watch shows: they lack our label. */
  readonly #unseen = new Set<DocumentKey>();
  readonly #agentPods: AgentPodWriter;

  constructor(options: DocumentWriterOptions) {
    this.#options = options;
    this.#agentPods = new AgentPodWriter({ ...options, pods: options.observed.pods });
  }

  /**
   * @param term under which it leads: the write ends with it
   * @returns when to come back; undefined: not before something happens to the document
   */
  async write(key: DocumentKey, desired: Desired, term: AbortSignal): Promise<Duration | undefined> {
    this.#garbage.add(desired.state === "present" ? textBytesOf(desired.object) : 0);
    if (desired.state === "absent") await this.#absent(key, term);
    if (desired.state === "held" && key.startsWith("Pod/")) this.#agentPods.hold(key.split("/").at(-1) ?? "");
    if (desired.state !== "present") return undefined;
    if (desired.object.kind === "Pod") return await this.#agentPods.run(key, desired.object, term);
    await this.#present(key, desired.object, term);
    return undefined;
  }

  async #present(key: DocumentKey, object: Exclude<DesiredObject, DesiredPod>, term: AbortSignal): Promise<void> {
    const { observed } = this.#options;
    switch (object.kind) {
      case "ConfigMap":
        return await this.#applyDigested(key, observed.configMaps, planManifest(object), term);
      case "IPPool":
        if (observed.ipPools === undefined) return;
        return await this.#applyDigested(key, observed.ipPools, planManifest(object), term);
      case "Cluster": {
        const stored = observed.clusters.store.get(object.name);
        const { resource, manifest } = planManifest(object);
        if (stored?.value.digest === contentDigest(appliedPart(manifest))) return;
        await this.#apply(key, resource, manifest, stored, term);
        return;
      }
      case "NodeAnnotations":
        return await this.#annotate(key, object, term);
      case "Secret":
        return await this.#certify(key, object, term);
    }
  }

  async #applyDigested(
    key: DocumentKey,
    informer: Informer<string>,
    { resource, manifest }: PlannedManifest,
    term: AbortSignal,
  ): Promise<void> {
    const { namespace, name } = manifest.metadata;
    const storeKey = namespace === undefined ? name : `${namespace}/${name}`;
    const digest = contentDigest(appliedPart(manifest));
    const stored = informer.store.get(storeKey);
    if (stored?.value === digest) return;
    const written = await this.#apply(key, resource, manifest, stored, term);
    informer.store.wrote({ key: storeKey, ...written, value: digest });
  }

  /**
   * Never over what was written since by another leader. An object that is there and is not seen is so soon, and the
   * queue comes back; one that even then is not seen is somebody else's without our label, and taken over.
   */
  async #apply(
    key: DocumentKey,
    resource: Resource,
    manifest: Manifest,
    stored: Stored<unknown> | undefined,
    term: AbortSignal,
  ): Promise<Written> {
    const { writer, onWrite } = this.#options;
    onWrite("apply", key);
    const takenOver = this.#unseen.delete(key) && stored === undefined;
    const precondition = takenOver ? undefined : (versionOf(stored) ?? "absent");
    try {
      return await writer.apply(resource, manifest, term, { force: true, precondition });
    } catch (error) {
      if (precondition === "absent" && errorCode(error) === "KUBE_CONFLICT") this.#unseen.add(key);
      throw error;
    }
  }

  async #annotate(key: DocumentKey, { name, annotations }: DesiredNodeAnnotations, term: AbortSignal): Promise<void> {
    const { observed, writer, onWrite } = this.#options;
    const stored = observed.nodes.store.get(name);
    if (stored === undefined) return;
    const said = stored.value.value.annotations;
    if (Object.entries(annotations).every(([each, text]) => (said[each] ?? null) === text)) return;
    onWrite("apply", key);
    // Its version excludes that two leaders give two subnets to one node.
    const metadata = { annotations, resourceVersion: stored.resourceVersion };
    await writer.merge(NODES, { name }, { metadata }, term);
  }

  /** One that somebody else made, and which is as it should be, is written once as it is: from then on it is ours. */
  async #certify(key: DocumentKey, object: DesiredCertificate, term: AbortSignal): Promise<void> {
    const { observed, client, signer: signerOf, clock } = this.#options;
    const signer = signerOf();
    if (signer === undefined) return;
    const { namespace, name } = object;
    const seen = observed.secrets.store.get(`${namespace}/${name}`);
    if (seen !== undefined && this.#isSettled(seen.value, object, signer)) return;
    if (seen === undefined && (await this.#certifyNew(key, object, signer, term))) return;
    const found = await getObject(client, LEAF_TEXTS_DECODER, { namespace, name }, term);
    // As it is now: the node may have joined after what was seen.
    const { texts, keyIsOnNode } = found?.value ?? { texts: {}, keyIsOnNode: false };
    const state = found === undefined ? undefined : readLeaf(texts, keyIsOnNode, signer);
    const bundle = trustBundle(signer.state);
    const step = planLeaf(object, state, bundle, clock.wall());
    const next = takeLeafStep(step, object, texts, signer, clock.wall()) ?? texts;
    await this.#applyLeaf(key, object, { texts: next, keyIsOnNode }, versionOf(found) ?? "absent", term);
  }

  /** @returns false: it is there, though nobody has seen it */
  async #certifyNew(key: DocumentKey, object: DesiredCertificate, signer: Signer, term: AbortSignal): Promise<boolean> {
    const step = planLeaf(object, undefined, trustBundle(signer.state), this.#options.clock.wall());
    const texts = takeLeafStep(step, object, {}, signer, this.#options.clock.wall()) ?? {};
    try {
      await this.#applyLeaf(key, object, { texts, keyIsOnNode: false }, "absent", term);
      return true;
    } catch (error) {
      if (errorCode(error) === "KUBE_CONFLICT") return false;
      throw error;
    }
  }

  async #applyLeaf(
    key: DocumentKey,
    object: DesiredCertificate,
    leaf: LeafTexts,
    precondition: Precondition | "absent",
    term: AbortSignal,
  ): Promise<void> {
    const { observed, writer, onWrite } = this.#options;
    onWrite("apply", key);
    const manifest = planLeafManifest(object, leaf);
    const written = await writer.apply(SECRETS, manifest, term, { force: true, precondition });
    const { texts, keyIsOnNode } = leaf;
    const metadataDigest = contentDigest(planLeafMetadata(object, keyIsOnNode));
    const [certificate, bundle] = [keepCertificate(texts["tls.crt"] ?? ""), texts["ca.crt"] ?? ""];
    const value = { certificate, bundle, whole: true, keyIsOnNode, metadataDigest };
    observed.secrets.store.wrote({ key: `${object.namespace}/${object.name}`, ...written, value });
  }

  /** Told from what is in memory: nothing is to be done. */
  #isSettled(seen: LeafSecret, object: DesiredCertificate, signer: Signer): boolean {
    const { certificate, bundle, whole, keyIsOnNode, metadataDigest } = seen;
    if (!whole || metadataDigest !== contentDigest(planLeafMetadata(object, keyIsOnNode))) return false;
    const texts = { "tls.crt": pemOf(certificate), "ca.crt": bundle };
    const state = { ...readLeaf(texts, keyIsOnNode, signer), key: keyIsOnNode ? "node" : "secret" } as const;
    return planLeaf(object, state, trustBundle(signer.state), this.#options.clock.wall()).step === "keep";
  }

  async #absent(key: DocumentKey, term: AbortSignal): Promise<void> {
    const { observed } = this.#options;
    const [kind = "", ...rest] = key.split("/");
    const [storeKey, name = ""] = [rest.join("/"), rest.at(-1)];
    // Others put their objects under FabEdge's label too, and the authority is none of a plan's.
    if (kind === "ConfigMap" && PLANNED_CONFIG_MAP.test(name)) {
      await this.#delete(key, CONFIG_MAPS, observed.configMaps.store.get(storeKey), term);
    } else if (kind === "Secret" && name.startsWith(agentTlsName(""))) {
      await this.#delete(key, SECRETS, observed.secrets.store.get(storeKey), term);
    } else if (kind === "IPPool") {
      await this.#delete(key, IP_POOLS, observed.ipPools?.store.get(storeKey), term);
    } else if (kind === "Pod") {
      await this.#agentPods.end(key, name, term);
    }
  }

  async #delete(
    key: DocumentKey,
    resource: Resource,
    stored: Stored<unknown> | undefined,
    term: AbortSignal,
  ): Promise<void> {
    if (stored === undefined) return;
    const [namespace, name = ""] = resource.namespaced ? stored.key.split("/") : [undefined, stored.key];
    this.#options.onWrite("delete", key);
    await this.#options.writer.delete(resource, { namespace, name }, versionOf(stored) ?? {}, term);
  }
}

function textBytesOf(object: DesiredObject): number {
  if (object.kind === "Secret") return CERTIFICATE_TEXT_BYTES;
  return object.kind === "ConfigMap" ? Object.values(object.data).reduce((sum, text) => sum + text.length, 0) : 0;
}

function versionOf(stored: Stored<unknown> | undefined) {
  return stored === undefined ? undefined : { uid: stored.uid, resourceVersion: stored.resourceVersion };
}
