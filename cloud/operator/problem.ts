import type { Severity } from "../../src/base/health.ts";

/** The object that a problem is about: "Node/e1", "Community/line-3". */
export type Subject = `${"Node" | "Community" | "Cluster"}/${string}`;

/** Something about an object that a person has to put right. It lasts as long as its cause. */
export interface Problem {
  /** As in docs/errors.md; a condition's or Event's reason is `reasonOf` it. */
  readonly code: string;
  /** failed: the object is left out; degraded: part of it is; info: nothing is. */
  readonly severity: Severity;
  /** "Cannot X as Y: current value is Z". */
  readonly message: string;
  /** What to do, one sentence. */
  readonly hint: string;
}
