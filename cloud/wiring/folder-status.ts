import type { Manifest } from "../hub/manifests.ts";
import { planCondition, type ReadyCondition } from "../operator/condition-plan.ts";
import { SUBNETS_ANNOTATION } from "../operator/object-names.ts";
import type { Subject } from "../operator/problem.ts";
import { CONDITION, NODE_CONDITION, type Reports } from "../operator/status-writer.ts";

/** What the plan says of the folder's own objects, laid over them: their status, and a node's subnets. */
export class FolderStatus {
  readonly #wall: () => number;
  readonly #conditions = new Map<Subject, ReadyCondition>();

  constructor(wall: () => number) {
    this.#wall = wall;
  }

  /** @returns undefined where there is nothing to say */
  overlay(subject: Subject, manifest: Manifest, subnets: string | undefined, reports: Reports): Manifest | undefined {
    const status = this.#status(subject, manifest.object, reports);
    if (status === undefined && subnets === undefined) return undefined;
    const metadata = manifest.object["metadata"] as { readonly annotations?: object };
    const annotations = {
      ...(subnets === undefined ? {} : { [SUBNETS_ANNOTATION]: subnets }),
      ...metadata.annotations,
    };
    const object = {
      ...manifest.object,
      metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations },
      ...(status === undefined ? {} : { status }),
    };
    return { ...manifest, object };
  }

  #status(subject: Subject, object: Manifest["object"], reports: Reports): object | undefined {
    const written = object["status"] as { readonly conditions?: readonly object[] } | undefined;
    const name = subject.slice(subject.indexOf("/") + 1);
    if (subject.startsWith("Node/")) {
      const problems = reports.problems(subject);
      // A node that never had a problem does not say so.
      if (problems.length === 0 && !this.#conditions.has(subject)) return undefined;
      const condition = this.#condition(subject, NODE_CONDITION, reports, undefined);
      return { ...written, conditions: [...(written?.conditions ?? []), condition] };
    }
    if (subject.startsWith("Cluster/"))
      return { ...written, conditions: [this.#condition(subject, CONDITION, reports, 0)] };
    const report = reports.community(name);
    if (report === undefined) return undefined;
    const { generation, memberCount, readyCount, members } = report;
    const conditions = [this.#condition(subject, CONDITION, reports, generation)];
    return { observedGeneration: generation, memberCount, readyCount, members, conditions };
  }

  #condition(subject: Subject, type: string, reports: Reports, generation: number | undefined): ReadyCondition {
    const time = new Date(this.#wall()).toISOString().replace(/\.\d+Z$/, "Z");
    const before = this.#conditions.get(subject);
    const condition = planCondition(type, reports.problems(subject), generation, before, time);
    this.#conditions.set(subject, condition);
    return condition;
  }
}
