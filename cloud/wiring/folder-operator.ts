import { type Duration, milliseconds, minutes } from "../../src/base/duration.ts";
import type { Log } from "../../src/base/log.ts";
import { sameValue } from "../../src/kube/object-store.ts";
import { apiVersion, SECRETS } from "../../src/kube/resource.ts";
import { planFolderExports } from "../global-services/folder-exports.ts";
import type { Derived } from "../hub/hub.ts";
import { type Manifest, objectId } from "../hub/manifests.ts";
import type { StateFolder } from "../hub/state-folder.ts";
import { objectUid } from "../hub/uid.ts";
import { admittedCertificate } from "../operator/admission.ts";
import { planAuthority, trustBundle, untilNextStep } from "../operator/authority-plan.ts";
import {
  certifyKey,
  readLeaf,
  readSigner,
  type Signer,
  takeAuthorityStep,
  takeLeafStep,
} from "../operator/certificates.ts";
import type { OperatorChange } from "../operator/change.ts";
import { type Desired, type DesiredCertificate, type DocumentKey, namespacedKey } from "../operator/document.ts";
import { planLeaf } from "../operator/leaf-plan.ts";
import { type PlannedManifest, planManifest } from "../operator/manifest-plan.ts";
import { SUBNETS_ANNOTATION } from "../operator/object-names.ts";
import { observedKinds } from "../operator/observed-kinds.ts";
import { OperatorPlanner } from "../operator/planner.ts";
import { type LeafPlace, type LeafTexts, planLeafManifest } from "../operator/secret-manifest.ts";
import type { OperatorSettings } from "../operator/settings.ts";
import { FolderState } from "./folder-state.ts";
import { FolderStatus } from "./folder-status.ts";

export interface FolderOperatorOptions {
  readonly settings: OperatorSettings;
  readonly state: StateFolder;
  /** Whether whoever may ask is on this machine, so that private keys may be handed out. */
  readonly handsKeysOut: boolean;
  readonly wall: () => number;
  readonly log: Log;
}

type InputChange = Exclude<OperatorChange, { readonly kind: "IPAMBlock" }>;
type Input = InputChange & { readonly manifest: Manifest };

/** Certificates grow old without a change. */
const LOOK_AGAIN = minutes(30);
const LOOK_AGAIN_LEAST = minutes(1);

/**
 * The operator without a cluster: the same plan from a folder's objects, its documents served instead of written. What
 * a cluster would keep (the authority, keys, subnets, documents that are held) is in the state folder.
 */
export class FolderOperator {
  readonly #options: FolderOperatorOptions;
  readonly #state: FolderState;
  readonly #status: FolderStatus;
  readonly #inputs = new Map<string, Input>();
  readonly #documents = new Map<DocumentKey, Manifest>();
  readonly #withheld = new Set<string>();
  /** What may be another one than was made of it last. */
  readonly #pending = new Set<DocumentKey>();
  /** When, and with which authorities, certificates were looked at last. */
  #certified = { at: 0, bundle: "" };
  /** What was said of exports, and of the folder's objects. */
  #toldExports: ReadonlySet<string> = new Set();
  #toldProblems: ReadonlySet<string> = new Set();
  #planner: OperatorPlanner | undefined;
  #signer: Signer | undefined;
  /** One thing at a time writes the state: what the folder's change asks for, or a node that joins. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: FolderOperatorOptions) {
    this.#options = options;
    this.#state = new FolderState(options.state);
    this.#status = new FolderStatus(options.wall);
  }

  get signer(): Signer | undefined {
    return this.#signer;
  }

  document(key: DocumentKey): Desired | undefined {
    return this.#planner?.document(key);
  }

  /** When to look again at the latest. */
  get nextLook(): Duration {
    const state = this.#signer?.state;
    const step = state === undefined ? 0 : untilNextStep(state, this.#options.wall());
    return milliseconds(Math.max(LOOK_AGAIN_LEAST, Math.min(LOOK_AGAIN, step)));
  }

  /** @throws SelvedgeError HUB_STATE, CA_INVALID */
  derive(manifests: readonly Manifest[]): Promise<Derived> {
    return this.#alone(async () => {
      await this.#stepAuthority();
      this.#take(manifests);
      for (const key of this.#pending) {
        await this.#make(key);
        this.#pending.delete(key);
      }
      const overlays = [...this.#inputs.values()].flatMap(({ kind, key, manifest }) => {
        return this.#status.overlay(`${kind}/${key}`, manifest, this.#subnetsOf(kind, key), this.#plannerNow) ?? [];
      });
      this.#tellProblems();
      const objects = [...this.#documents.values(), ...overlays, ...this.#exports(manifests)];
      return { objects, withheld: new Set(this.#withheld) };
    });
  }

  /** A certificate for a key that stays on its node. @returns PEM @throws as {@link admittedCertificate} */
  admit(node: string, publicKey: Uint8Array<ArrayBuffer>): Promise<string> {
    return this.#alone(async () => {
      const object = this.certificateOf(node);
      if (this.#signer === undefined) throw new Error("Cannot sign as nothing was planned yet");
      const texts = certifyKey(object, publicKey, this.#signer, this.#options.wall());
      this.#state.writeLeaf(object, { texts, keyIsOnNode: true });
      this.#pending.add(namespacedKey("Secret", object.namespace, object.name));
      return texts["tls.crt"] ?? "";
    });
  }

  /** @throws SelvedgeError JOIN_NODE_REFUSED, JOIN_NOT_READY */
  certificateOf(node: string): DesiredCertificate {
    return admittedCertificate(node, this.#options.settings.namespace, (key) => this.document(key));
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  #exports(manifests: readonly Manifest[]): readonly Manifest[] {
    const { settings, log } = this.#options;
    const { cluster, zone, region } = settings;
    const { globals, problems } = planFolderExports(manifests, { cluster, zone, region });
    const texts = new Set(problems.map(({ message, hint }) => `${message}. ${hint}`));
    for (const text of texts.difference(this.#toldExports)) log.warn("hub.export", text);
    this.#toldExports = texts;
    return globals.map(({ resource, key, object }) => ({
      resource,
      id: objectId(resource, key),
      key,
      object,
      line: 1,
    }));
  }

  /** Nobody makes Events here, and a status is seen by whoever asks the hub for it. */
  #tellProblems(): void {
    const { log } = this.#options;
    const told = new Set<string>();
    for (const { kind, key } of this.#inputs.values()) {
      for (const { code, severity, message, hint } of this.#plannerNow.problems(`${kind}/${key}`)) {
        const said = `${code} ${kind}/${key} ${message}`;
        told.add(said);
        if (this.#toldProblems.has(said)) continue;
        const fields = { code, name: `${kind}/${key}`, hint };
        if (severity === "info") log.info("hub.problem", message, fields);
        else log.warn("hub.problem", message, fields);
      }
    }
    this.#toldProblems = told;
  }

  get #plannerNow(): OperatorPlanner {
    if (this.#planner === undefined) throw new Error("Cannot tell documents as nothing is planned");
    return this.#planner;
  }

  async #stepAuthority(): Promise<void> {
    const { settings, wall, log } = this.#options;
    for (;;) {
      const texts = this.#state.readAuthority();
      this.#signer = readSigner(texts);
      const step = planAuthority(this.#signer?.state, wall());
      const next = takeAuthorityStep(step, texts ?? {}, settings.certificateOrganization, wall());
      if (next === undefined) return;
      this.#state.writeAuthority(next);
      log.info("hub.authority", "The authority has taken a step", { mode: step.step });
    }
  }

  #take(manifests: readonly Manifest[]): void {
    const changes = this.#readInputs(manifests);
    if (this.#planner === undefined) {
      this.#planner = new OperatorPlanner(this.#options.settings, changes);
      const { namespace } = this.#options.settings;
      for (const key of [...this.#planner.keys(), ...this.#state.documentKeys(namespace)]) this.#pending.add(key);
    } else if (changes.length > 0) {
      for (const key of this.#planner.apply(changes).documents) this.#pending.add(key);
    }
    this.#keepSubnets(this.#planner);
    const [at, bundle] = [this.#options.wall(), this.#signer === undefined ? "" : trustBundle(this.#signer.state)];
    if (at < this.#certified.at + LOOK_AGAIN && bundle === this.#certified.bundle) return;
    this.#certified = { at, bundle };
    for (const key of this.#planner.keys()) if (key.startsWith("Secret/")) this.#pending.add(key);
  }

  #readInputs(manifests: readonly Manifest[]): readonly OperatorChange[] {
    const { settings, log } = this.#options;
    const { Node, Community, Cluster } = observedKinds(settings);
    const changes: OperatorChange[] = [];
    const found = new Set<string>();
    for (const manifest of manifests) {
      const decoder = [Node, Community, Cluster].find(({ resource }) => resource === manifest.resource);
      if (decoder === undefined) continue;
      const { key, id } = manifest;
      const kind = decoder.resource.kind as "Node" | "Community" | "Cluster";
      found.add(id);
      const read = decoder.decode(this.#completed(manifest, kind));
      if (!read.ok) {
        // What it said before counts.
        log.error("hub.unreadable", `Cannot plan with ${kind} ${key}: ${read.error.at}: ${read.error.why}`);
        continue;
      }
      const change = { kind, key, value: read.value } as InputChange;
      const before = this.#inputs.get(id);
      this.#inputs.set(id, { ...change, manifest });
      if (before === undefined || !sameValue(before.value, change.value)) changes.push(change);
    }
    for (const [id, { kind, key }] of this.#inputs) {
      if (found.has(id)) continue;
      this.#inputs.delete(id);
      changes.push({ kind, key, value: undefined } as OperatorChange);
    }
    return changes;
  }

  /** With what the API server would add: the uid, and the subnets that were given to the node. */
  #completed({ id, key, object }: Manifest, kind: string): object {
    const metadata = object["metadata"] as { readonly annotations?: object };
    const subnets = this.#subnetsOf(kind, key);
    const annotations = {
      ...(subnets === undefined ? {} : { [SUBNETS_ANNOTATION]: subnets }),
      ...metadata.annotations,
    };
    return { ...object, metadata: { ...metadata, annotations, uid: objectUid(id) } };
  }

  #subnetsOf(kind: string, key: string): string | undefined {
    return kind === "Node" ? this.#state.subnets.get(key) : undefined;
  }

  /** Subnets are a node's once they are written: then it is planned with them. */
  #keepSubnets(planner: OperatorPlanner): void {
    const nodes = new Set([...this.#inputs.values()].flatMap(({ kind, key }) => (kind === "Node" ? [key] : [])));
    const given = new Map([...this.#state.subnets].filter(([node]) => nodes.has(node)));
    for (const key of this.#pending) {
      const desired = planner.document(key);
      if (desired.state !== "present" || desired.object.kind !== "NodeAnnotations") continue;
      const subnets = desired.object.annotations[SUBNETS_ANNOTATION];
      if (subnets !== undefined) given.set(desired.object.name, subnets);
    }
    if (sameValue(given, this.#state.subnets)) return;
    this.#state.writeSubnets(given);
    const changes = this.#readInputs([...this.#inputs.values()].map(({ manifest }) => manifest));
    for (const key of planner.apply(changes).documents) this.#pending.add(key);
  }

  async #make(key: DocumentKey): Promise<void> {
    const desired = this.document(key) ?? { state: "absent" };
    if (desired.state === "held") {
      if (!this.#documents.has(key)) this.#restore(key);
    } else if (desired.state === "absent") {
      this.#remove(key);
    } else if (desired.object.kind === "Secret") {
      await this.#certify(key, desired.object);
    } else if (desired.object.kind === "ConfigMap" || desired.object.kind === "Cluster") {
      const planned = planManifest(desired.object);
      if (desired.object.kind === "ConfigMap") this.#state.writeDocument(key, planned);
      this.#documents.set(key, asManifest(planned));
    }
    // Pods and Calico's pools are for a cluster.
  }

  async #certify(key: DocumentKey, object: DesiredCertificate): Promise<void> {
    const { wall } = this.#options;
    const signer = this.#signer;
    if (signer === undefined) return;
    const { texts, keyIsOnNode } = this.#state.readLeaf(object.name) ?? { texts: undefined, keyIsOnNode: false };
    const state = texts === undefined ? undefined : readLeaf(texts, keyIsOnNode, signer);
    const step = planLeaf(object, state, trustBundle(signer.state), wall());
    const next = takeLeafStep(step, object, texts ?? {}, signer, wall());
    const leaf: LeafTexts = { texts: next ?? texts ?? {}, keyIsOnNode };
    if (next !== undefined) this.#state.writeLeaf(object, leaf);
    this.#serveLeaf(key, object, leaf);
  }

  /** What was planned in an earlier run stays while something is wrong with the plan. */
  #restore(key: DocumentKey): void {
    if (key.startsWith("Secret/")) {
      const kept = this.#state.readLeaf(key.slice(key.lastIndexOf("/") + 1));
      if (kept !== undefined) this.#serveLeaf(key, kept.place, kept);
    } else if (key.startsWith("ConfigMap/")) {
      const kept = this.#state.readDocument(key);
      if (kept !== undefined) this.#documents.set(key, asManifest(kept));
    }
  }

  #remove(key: DocumentKey): void {
    this.#documents.delete(key);
    if (key.startsWith("Secret/")) this.#withheld.delete(objectId(SECRETS, key.slice("Secret/".length)));
    if (/^(?:Secret|ConfigMap)\//.test(key)) this.#state.removeDocument(key);
  }

  #serveLeaf(key: DocumentKey, place: LeafPlace, leaf: LeafTexts): void {
    const manifest = asManifest({ resource: SECRETS, manifest: planLeafManifest(place, leaf) });
    const isSecret = (leaf.texts["tls.key"] ?? "") !== "";
    if (isSecret && !this.#options.handsKeysOut) {
      this.#documents.delete(key);
      this.#withheld.add(manifest.id);
    } else {
      this.#documents.set(key, manifest);
      this.#withheld.delete(manifest.id);
    }
  }
}

function asManifest({ resource, manifest }: PlannedManifest): Manifest {
  const { namespace, name } = manifest.metadata;
  const key = namespace === undefined ? name : `${namespace}/${name}`;
  const object = { apiVersion: apiVersion(resource), kind: resource.kind, ...manifest };
  return { resource, id: objectId(resource, key), key, object, line: 1 };
}
