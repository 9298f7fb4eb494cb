import { type Duration, hours } from "../../src/base/duration.ts";
import type { Certificate } from "../../src/certificate/certificate.ts";

/** What the Secret of the authority holds. */
export interface AuthorityState {
  /** It signs. */
  readonly current: Certificate;
  /** Trusted already, it signs once everybody has heard of it. */
  readonly next: Certificate | undefined;
  /** It signed before: what it signed is still in use, or it ended and people have to be told for a while. */
  readonly previous: Certificate | undefined;
}

export type AuthorityStep =
  /** The first one, or one in place of an authority that has ended. */
  | { readonly step: "create"; readonly why: string }
  | { readonly step: "prepare"; readonly why: string }
  | { readonly step: "switch"; readonly why: string }
  | { readonly step: "forget"; readonly why: string }
  | { readonly step: "keep" };

const days = (n: number) => hours(24 * n);

export const AUTHORITY_LIFE = days(3652);
export const LEAF_LIFE = days(90);
/** A node's clock may be late, or begin at an old date after a power cut: what was just issued is valid there too. */
export const BACKDATE = days(1);
/** How long a new authority is trusted before it signs: nodes that are away for less never meet a stranger. */
export const OVERLAP = days(7);
/**
 * A successor that is held back signs all the same so long before the end: what is signed by then lives until then at
 * most, and is renewed at two thirds.
 */
const HOLD_ENDS = days(30);

/**
 * One step at a time: each is written before the next is planned, so a crash between them costs nothing.
 *
 * @param held somebody does not hear of the successor, and refuses whom it signs
 */
export function planAuthority(state: AuthorityState | undefined, now: number, held = false): AuthorityStep {
  if (state === undefined) return { step: "create", why: "there is none" };
  const { current, next, previous } = state;
  if (now >= current.notAfter) {
    const why = `the one that signs ended at ${formatTime(current.notAfter)}`;
    return next === undefined || now >= next.notAfter ? { step: "create", why } : { step: "switch", why };
  }
  if (next !== undefined) {
    if (now < switchAt(current, next, held)) return { step: "keep" };
    return { step: "switch", why: `its successor is trusted since ${formatTime(madeAt(next))}` };
  }
  if (previous !== undefined && now >= forgetAt(state, previous)) {
    return { step: "forget", why: "the one before it, and all that it signed, has ended" };
  }
  if (now < successionAt(current)) return { step: "keep" };
  return { step: "prepare", why: `the one that signs ends at ${formatTime(current.notAfter)}` };
}

/** What nodes trust, the signer first. */
export function trustBundle(state: AuthorityState): string {
  const { current, next, previous } = state;
  const trusted = [current, next, isReplacement(state) ? undefined : previous];
  return trusted.map((certificate) => certificate?.pem ?? "").join("");
}

/** Whether the one before had ended when this one was made: who has not heard of this one trusts nobody. */
export function isReplacement({ current, previous }: AuthorityState): boolean {
  return previous !== undefined && previous.notAfter <= madeAt(current);
}

function madeAt({ notBefore }: Certificate): number {
  return notBefore + BACKDATE;
}

/** When there is no more to be said or done about the one before. */
export function forgetAt(state: AuthorityState, previous: Certificate): number {
  // Nothing that it signed outlives it. Until when it signed is not known: a switch may have been held.
  return isReplacement(state) ? madeAt(state.current) + OVERLAP : previous.notAfter;
}

/** A successor is made at four fifths of the life, and early enough for two generations of leaves. */
function successionAt({ notBefore, notAfter }: Certificate): number {
  return notAfter - Math.max((notAfter - notBefore) / 5, 2 * LEAF_LIFE);
}

/** When the successor signs. */
export function switchAt(current: Certificate, next: Certificate, held: boolean): number {
  const known = madeAt(next) + OVERLAP;
  return held ? Math.max(known, current.notAfter - HOLD_ENDS) : known;
}

export function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

export function untilNextStep(state: AuthorityState, now: number, held = false): Duration {
  const { current, next, previous } = state;
  const moments = [
    current.notAfter,
    next === undefined ? successionAt(current) : switchAt(current, next, held),
    ...(previous === undefined ? [] : [forgetAt(state, previous)]),
  ];
  return Math.max(0, Math.min(...moments) - now) as Duration;
}
