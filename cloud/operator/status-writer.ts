import type { EventRecorder } from "../../src/kube/event-recorder.ts";
import type { ObjectReference } from "../../src/kube/event-series.ts";
import type { Informer } from "../../src/kube/informer.ts";
import type { Stored } from "../../src/kube/object-store.ts";
import { contentDigest } from "../../src/kube/owned-fields.ts";
import { apiVersion, CLUSTERS, COMMUNITIES, NODES, type Resource } from "../../src/kube/resource.ts";
import type { KubeWriter } from "../../src/kube/writer.ts";
import type { Cluster } from "../../src/network/cluster.ts";
import type { ClusterNode } from "../../src/network/cluster-node.ts";
import type { Community } from "../../src/network/community.ts";
import type { CommunityReport } from "./community-report.ts";
import { planCondition, type ReadyCondition } from "./condition-plan.ts";
import type { Reported } from "./observed-documents.ts";
import type { Problem, Subject } from "./problem.ts";
import { ProblemHistory, type ProblemNews } from "./problem-history.ts";

/** An edge node has it while something is wrong with it, and afterwards. */
export const NODE_CONDITION = "SelvedgeReady";
export const CONDITION = "Ready";

/** What the plan says of objects. */
export interface Reports {
  problems(subject: Subject): readonly Problem[];
  community(key: string): CommunityReport | undefined;
}

export interface StatusWriterOptions {
  readonly nodes: Informer<Reported<ClusterNode>>;
  readonly communities: Informer<Reported<Community>>;
  readonly clusters: Informer<Reported<Cluster>>;
  readonly writer: KubeWriter;
  readonly events: EventRecorder;
  readonly wall: () => number;
  readonly onWrite: (verb: "status", key: Subject) => void;
}

/** Says of an object what is wrong with it: in its status as long as it lasts, and in Events as it comes and goes. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #history = new ProblemHistory();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** Another leader has told in the meantime. */
  forget(): void {
    this.#history.clear();
  }

  async write(subject: Subject, reports: Reports, term: AbortSignal): Promise<void> {
    const at = subject.indexOf("/");
    const [kind, name] = [subject.slice(0, at), subject.slice(at + 1)];
    const problems = reports.problems(subject);
    if (kind === "Node") await this.#node(subject, name, problems, term);
    else if (kind === "Community") await this.#community(subject, name, reports.community(name), term);
    else if (kind === "Cluster") await this.#cluster(subject, name, problems, term);
  }

  /** Something that has happened, and is in no status. */
  tell(resource: Resource, name: string, news: ProblemNews): void {
    const regarding = { apiVersion: apiVersion(resource), kind: resource.kind, name };
    this.#options.events.record({ ...news, regarding, action: "Plan" });
  }

  async #node(subject: Subject, name: string, problems: readonly Problem[], term: AbortSignal): Promise<void> {
    const stored = this.#options.nodes.store.get(name);
    if (stored === undefined) return;
    this.#record(subject, NODES, stored, problems);
    // A node that never had a problem is not written to say so.
    if (problems.length === 0 && stored.value.condition === undefined) return;
    const condition = this.#condition(NODE_CONDITION, problems, undefined, stored);
    await this.#apply(subject, NODES, stored, { conditions: [condition] }, term);
  }

  async #community(
    subject: Subject,
    name: string,
    report: CommunityReport | undefined,
    term: AbortSignal,
  ): Promise<void> {
    const stored = this.#options.communities.store.get(name);
    if (stored === undefined || report === undefined) return;
    const { generation, memberCount, readyCount, members, problems } = report;
    this.#record(subject, COMMUNITIES, stored, problems);
    const conditions = [this.#condition(CONDITION, problems, generation, stored)];
    const status = { observedGeneration: generation, memberCount, readyCount, members, conditions };
    await this.#apply(subject, COMMUNITIES, stored, status, term);
  }

  async #cluster(subject: Subject, name: string, problems: readonly Problem[], term: AbortSignal): Promise<void> {
    const stored = this.#options.clusters.store.get(name);
    if (stored === undefined) return;
    this.#record(subject, CLUSTERS, stored, problems);
    const { generation } = stored.value.value;
    const conditions = [this.#condition(CONDITION, problems, generation, stored)];
    await this.#apply(subject, CLUSTERS, stored, { conditions }, term);
  }

  #condition(
    type: string,
    problems: readonly Problem[],
    generation: number | undefined,
    { value: { condition } }: Stored<Reported<unknown>>,
  ): ReadyCondition {
    // metav1.Time has whole seconds.
    const time = new Date(this.#options.wall()).toISOString().replace(/\.\d+Z$/, "Z");
    return planCondition(type, problems, generation, condition, time);
  }

  async #apply(
    subject: Subject,
    resource: Resource,
    stored: Stored<Reported<unknown>>,
    status: object,
    term: AbortSignal,
  ): Promise<void> {
    if (stored.value.statusDigest === contentDigest({ status })) return;
    this.#options.onWrite("status", subject);
    const { uid, resourceVersion } = stored;
    const options = { force: true, subresource: "status", precondition: { uid, resourceVersion } } as const;
    await this.#options.writer.apply(resource, { metadata: { name: stored.key }, status }, term, options);
  }

  #record(subject: Subject, resource: Resource, { key, uid }: Stored<unknown>, problems: readonly Problem[]): void {
    const regarding: ObjectReference = { apiVersion: apiVersion(resource), kind: resource.kind, name: key, uid };
    for (const news of this.#history.update(subject, problems)) {
      this.#options.events.record({ ...news, regarding, action: "Plan" });
    }
  }
}
