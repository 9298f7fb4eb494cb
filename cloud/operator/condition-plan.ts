import type { Severity } from "../../src/base/health.ts";
import { reasonOf } from "../../src/kube/reason.ts";
import type { Problem } from "./problem.ts";

/** metav1.Condition of type Ready, as far as it is compared. */
export interface ReadyCondition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

/** The API's own bound for a message. */
const MESSAGE_LENGTH_MAX = 32_768;
/** Something: a Node's condition is served without an empty message, and would look as if it was not what was applied. */
const ALL_WELL = "Nothing is wrong";
const RANK: Readonly<Record<Severity, number>> = { failed: 0, degraded: 1, info: 2 };

/**
 * Whether an object does what it is for. What is merely degraded is ready, and the message says what is not.
 *
 * @param before what the object says now
 * @param time as metav1.Time
 */
export function planCondition(
  type: string,
  problems: readonly Problem[],
  generation: number | undefined,
  before: { readonly status: string; readonly lastTransitionTime: string } | undefined,
  time: string,
): ReadyCondition {
  const sorted = problems.toSorted((a, b) => RANK[a.severity] - RANK[b.severity] || (a.code < b.code ? -1 : 1));
  const [worst] = sorted;
  const status = worst?.severity === "failed" ? "False" : "True";
  const text = sorted.map(({ message, hint }) => `${message}. ${hint}`).join("\n");
  return {
    type,
    status,
    reason: worst === undefined ? "AsWanted" : reasonOf(worst.code),
    message: text.slice(0, MESSAGE_LENGTH_MAX) || ALL_WELL,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    // A Node's condition may lack it where somebody else wrote it.
    lastTransitionTime: (before?.status === status && before.lastTransitionTime) || time,
  };
}
