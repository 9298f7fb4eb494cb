import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { CommunityReport } from "./community-report.ts";
import type { Desired, DocumentKey } from "./document.ts";
import type { OperatorPlanner } from "./planner.ts";
import type { Problem, Subject } from "./problem.ts";

export interface ObjectReportsOptions {
  readonly planner: OperatorPlanner;
  /** This cluster's own object: what concerns no other one is said of it. */
  readonly own: Subject;
  /** Of the authority. */
  readonly authority: () => readonly Problem[];
}

/** What the API server, or the object itself, refuses for as long as nobody changes something. */
const REFUSALS = new Set(["KUBE_FORBIDDEN", "KUBE_NOT_FOUND", "KUBE_INVALID", "KUBE_TOO_LARGE", "NODE_KEY_LOST"]);

/** What is said of objects: what the plan says, and what only shows when its documents are made and written. */
export class ObjectReports {
  readonly #options: ObjectReportsOptions;
  readonly #troubles = new Map<Subject, Map<DocumentKey, Problem>>();
  /** Of whom each of them is said, also once the document is nobody's any more. */
  readonly #subjects = new Map<DocumentKey, Subject>();

  constructor(options: ObjectReportsOptions) {
    this.#options = options;
  }

  community(key: string): CommunityReport | undefined {
    return this.#options.planner.community(key);
  }

  problems(subject: Subject): readonly Problem[] {
    const { planner, own, authority } = this.#options;
    const known = subject === own ? authority() : planner.problems(subject);
    const troubles = this.#troubles.get(subject);
    return troubles === undefined ? known : [...known, ...troubles.values()];
  }

  /** The document is as the plan says, or held. @returns whose report is another one now */
  written(key: DocumentKey, desired: Desired): Subject | undefined {
    const held = desired.state === "held" ? desired.problems : [];
    const { planner } = this.#options;
    const told = held.length === 0 ? [] : planner.problems(this.#subjectOf(key)).map(({ code }) => code);
    return this.#set(
      key,
      held.find(({ code }) => !told.includes(code)),
    );
  }

  /** It could not be written. @returns whose report is another one now */
  failed(key: DocumentKey, error: unknown): Subject | undefined {
    const code = errorCode(error);
    if (!REFUSALS.has(code)) return undefined;
    const hint = error instanceof SelvedgeError ? (error.hint ?? "") : "";
    return this.#set(key, { code, severity: "degraded", message: errorText(error), hint });
  }

  #subjectOf(key: DocumentKey): Subject {
    const node = this.#options.planner.nodeOf(key);
    return node === undefined ? this.#options.own : `Node/${node}`;
  }

  #set(key: DocumentKey, problem: Problem | undefined): Subject | undefined {
    const subject = this.#subjects.get(key) ?? this.#subjectOf(key);
    const troubles = this.#troubles.get(subject) ?? new Map<DocumentKey, Problem>();
    const before = troubles.get(key);
    if (before?.code === problem?.code && before?.message === problem?.message) return undefined;
    if (problem === undefined) {
      troubles.delete(key);
      this.#subjects.delete(key);
    } else {
      troubles.set(key, problem);
      this.#subjects.set(key, subject);
    }
    if (troubles.size === 0) this.#troubles.delete(subject);
    else this.#troubles.set(subject, troubles);
    return subject;
  }
}
