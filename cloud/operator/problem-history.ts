import { reasonOf } from "../../src/kube/reason.ts";
import type { Problem, Subject } from "./problem.ts";

/** What has changed about an object's problems. */
export interface ProblemNews {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly note: string;
}

/** Tells which problems are new, so that each is told once. */
export class ProblemHistory {
  readonly #told = new Map<Subject, ReadonlySet<string>>();

  /** @returns what is new since the last time, and that all is well once it is */
  update(subject: Subject, problems: readonly Problem[]): readonly ProblemNews[] {
    const before = this.#told.get(subject);
    const texts = new Set(problems.map(({ code, message }) => `${code} ${message}`));
    if (texts.size > 0) this.#told.set(subject, texts);
    else this.#told.delete(subject);
    if (texts.size === 0 && before !== undefined) {
      return [{ type: "Normal", reason: "AsWanted", note: "What was wrong has been put right" }];
    }
    return problems
      .filter(({ code, message }) => before?.has(`${code} ${message}`) !== true)
      .map(({ code, severity, message, hint }) => ({
        type: severity === "info" ? "Normal" : "Warning",
        reason: reasonOf(code),
        note: `${message}. ${hint}`,
      }));
  }

  /** Another leader has told since. */
  clear(): void {
    this.#told.clear();
  }
}
