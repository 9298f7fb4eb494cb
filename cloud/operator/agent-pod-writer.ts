import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Duration } from "../../src/base/duration.ts";
import type { Informer } from "../../src/kube/informer.ts";
import type { Stored } from "../../src/kube/object-store.ts";
import { PODS } from "../../src/kube/resource.ts";
import type { KubeWriter } from "../../src/kube/writer.ts";
import type { DesiredPod, DocumentKey } from "./document.ts";
import { EndedPods } from "./ended-pods.ts";
import { fnv1a } from "./fnv.ts";
import { ownedBy } from "./manifest-plan.ts";
import { POD_HASH_LABEL } from "./object-names.ts";
import type { AgentPod } from "./observed-documents.ts";
import { isWorking, type Rollout } from "./rollout.ts";

export interface AgentPodWriterOptions {
  readonly pods: Informer<AgentPod>;
  readonly rollout: Rollout;
  readonly writer: KubeWriter;
  readonly clock: Clock;
  readonly random: Random;
  readonly onWrite: (verb: "apply" | "delete", key: DocumentKey) => void;
}

/** Sees to it that one agent of the wanted spec runs on a node, or none. */
export class AgentPodWriter {
  readonly #options: AgentPodWriterOptions;
  readonly #ended: EndedPods;

  constructor(options: AgentPodWriterOptions) {
    this.#options = options;
    this.#ended = new EndedPods(options.random);
  }

  /** @returns when to come back; undefined: not before something happens to the node's pods, or its turn comes */
  async run(key: DocumentKey, object: DesiredPod, term: AbortSignal): Promise<Duration | undefined> {
    const { pods: informer, rollout, writer, clock, onWrite } = this.#options;
    const { node } = object;
    const pods = this.#podsOf(node);
    const hash = object.labels[POD_HASH_LABEL] ?? "";
    const isWanted = ({ value }: Stored<AgentPod>) => value.hash === hash && !value.ended;
    const [kept, ...others] = pods.toSorted(
      (a, b) => Number(isWanted(b)) - Number(isWanted(a)) || (a.key < b.key ? -1 : 1),
    );
    const agents = pods.map(({ value }) => value);
    const isKept = kept !== undefined && isWanted(kept);
    rollout.see(node, agents, isKept);
    if (kept?.value.hash === hash && kept.value.ended && !kept.value.terminating) {
      const wait = this.#ended.wait(node, clock.now());
      if (wait > 0) return wait;
      this.#ended.replaced(node, clock.now());
    }
    if (!isKept && agents.some(isWorking) && !rollout.mayReplace(node)) return undefined;
    for (const pod of isKept ? others : pods) await this.#delete(key, pod, term);
    // One at a time: its successor waits until the node's kubelet has ended it, whose event brings us back here.
    if (kept !== undefined) return undefined;
    onWrite("apply", key);
    const { namespace, labels, spec } = object;
    const name = podName(object);
    const metadata = { namespace, name, labels, ...ownedBy(object.owner) };
    const written = await writer.create(PODS, { metadata, spec }, term);
    const value = { node, hash, ready: false, terminating: false, ended: false };
    informer.store.wrote({ key: `${namespace}/${name}`, ...written, value });
    return undefined;
  }

  /** What the node has stays as it is, and nobody waits for it. */
  hold(node: string): void {
    this.#options.rollout.forget(node);
  }

  async end(key: DocumentKey, node: string, term: AbortSignal): Promise<void> {
    this.#ended.forget(node);
    this.#options.rollout.forget(node);
    for (const pod of this.#podsOf(node)) await this.#delete(key, pod, term);
  }

  async #delete(key: DocumentKey, { key: podKey, uid, value }: Stored<AgentPod>, term: AbortSignal): Promise<void> {
    if (value.terminating) return;
    const { writer, onWrite } = this.#options;
    onWrite("delete", key);
    const [namespace, name = ""] = podKey.split("/");
    // Its status changes all the time, and says nothing of whether it is wanted.
    await writer.delete(PODS, { namespace, name }, { uid }, term);
  }

  #podsOf(node: string): readonly Stored<AgentPod>[] {
    return [...this.#options.pods.store.values()].filter((pod) => pod.value.node === node);
  }
}

/**
 * A pod of one node and one spec has one name: that it is made twice, as when an answer gets lost, makes it once.
 */
function podName({ generateName, node, owner, labels }: DesiredPod): string {
  return generateName + fnv1a(`${node} ${owner.uid} ${labels[POD_HASH_LABEL]}`).toString(16).padStart(8, "0");
}
