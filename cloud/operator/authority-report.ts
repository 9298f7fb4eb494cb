import { errorText, SelvedgeError } from "../../src/base/errors.ts";
import {
  type AuthorityState,
  type AuthorityStep,
  forgetAt,
  formatTime,
  isReplacement,
  switchAt,
} from "./authority-plan.ts";
import { nameFew } from "./named-few.ts";
import { AGENT_MODE_LABEL } from "./object-names.ts";
import type { Problem } from "./problem.ts";
import type { ProblemNews } from "./problem-history.ts";

/** They read authorities when they start; a token names the one that it is for. */
const HELP = "Start FabEdge's agents and connectors again where they still run, and make new join tokens";

/** What is wrong with the authority: the object of this cluster says so. @param leftNodes where FabEdge's agents run on */
export function reportAuthority(state: AuthorityState, leftNodes: readonly string[], now: number): readonly Problem[] {
  const { current, next, previous } = state;
  if (now >= current.notAfter) {
    const problem: Problem = {
      code: "AUTHORITY_ENDED",
      severity: "failed",
      message: `Cannot renew certificates as the authority that signs ended on ${day(current.notAfter)}`,
      hint: "Wait until the operator has replaced it, within a minute; if it stays, see its log. FabEdge's agents and connectors have to be started again then.",
    };
    return [problem];
  }
  if (previous !== undefined && isReplacement(state)) {
    const known = leftNodes.length === 0 ? "" : `, among them the agents of ${nameFew(leftNodes)}`;
    const problem: Problem = {
      code: "AUTHORITY_REPLACED",
      severity: "degraded",
      message: `Cannot reach whoever has not heard of the new authority as the one before had ended on ${day(previous.notAfter)}${known}`,
      hint: `${HELP}; then take previous.crt out of the authority's Secret, or wait until ${day(forgetAt(state, previous))}, when this is no longer said.`,
    };
    return [problem];
  }
  if (next === undefined || leftNodes.length === 0) return [];
  const signs = day(switchAt(current, next, true));
  const problem: Problem = {
    code: "AUTHORITY_HELD",
    severity: "degraded",
    message: `Cannot let the next authority sign before ${signs} as FabEdge's agents of ${nameFew(leftNodes)} do not know it; the one that signs ends on ${day(current.notAfter)}`,
    hint: `Move these nodes with the label ${AGENT_MODE_LABEL} until then: afterwards their agents refuse every new certificate.`,
  };
  return [problem];
}

/** @param error of reading the authority. @returns none where it is not the authority's own */
export function reportUnusableAuthority(error: unknown): readonly Problem[] {
  if (!(error instanceof SelvedgeError)) throw error;
  return [{ code: error.code, severity: "failed", message: errorText(error), hint: error.hint ?? "" }];
}

/** What is told of a step. @param before what was there */
export function tellAuthorityStep(
  step: Exclude<AuthorityStep, { readonly step: "keep" }>,
  before: AuthorityState | undefined,
  now: number,
): ProblemNews {
  const reasons = {
    create: "AuthorityMade",
    prepare: "AuthorityPrepared",
    switch: "AuthoritySwitched",
    forget: "AuthorityForgotten",
  };
  const reason = reasons[step.step];
  const note = `The authority of certificates takes a step (${step.step}) as ${step.why}`;
  if (before === undefined || now < before.current.notAfter) return { type: "Normal", reason, note };
  return { type: "Warning", reason, note: `${note}. ${HELP}` };
}

function day(time: number): string {
  return formatTime(time).slice(0, 10);
}
