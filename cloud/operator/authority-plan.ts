import { type Duration, hours } from "../../src/base/duration.ts";
import type { Certificate } from "../../src/certificate/certificate.ts";

/** What the Secret of the authority holds. */
export interface AuthorityState {
  /** It signs. */
  readonly current: Certificate;
  /** Trusted already, it signs once everybody has heard of it. */
  readonly next: Certificate | undefined;
  /** It signed before, and what it signed is still in use. */
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

/** One step at a time: each is written before the next is planned, so a crash between them costs nothing. */
export function planAuthority(state: AuthorityState | undefined, now: number): AuthorityStep {
  if (state === undefined) return { step: "create", why: "there is none" };
  const { current, next, previous } = state;
  if (now >= current.notAfter) {
    const why = `the one that signs ended at ${formatTime(current.notAfter)}`;
    return next === undefined || now >= next.notAfter ? { step: "create", why } : { step: "switch", why };
  }
  if (next !== undefined) {
    if (now < next.notBefore + BACKDATE + OVERLAP) return { step: "keep" };
    return { step: "switch", why: `its successor is trusted since ${formatTime(next.notBefore + BACKDATE)}` };
  }
  if (previous !== undefined && now >= forgetAt(current, previous)) {
    return { step: "forget", why: "all that the one before it signed has ended" };
  }
  if (now < successionAt(current)) return { step: "keep" };
  return { step: "prepare", why: `the one that signs ends at ${formatTime(current.notAfter)}` };
}

/** What nodes trust, the signer first. */
export function trustBundle({ current, next, previous }: AuthorityState): string {
  return [current, next, previous].map((certificate) => certificate?.pem ?? "").join("");
}

/** A successor is made at four fifths of the life, and early enough for two generations of leaves. */
function successionAt({ notBefore, notAfter }: Certificate): number {
  return notAfter - Math.max((notAfter - notBefore) / 5, 2 * LEAF_LIFE);
}

/** It signed its last leaf when the current one took over, which was at the earliest this long after it was made. */
function forgetAt(current: Certificate, previous: Certificate): number {
  return Math.min(previous.notAfter, current.notBefore + BACKDATE + OVERLAP + LEAF_LIFE);
}

export function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

export function untilNextStep(state: AuthorityState, now: number): Duration {
  const { current, next, previous } = state;
  const moments = [
    current.notAfter,
    next === undefined ? successionAt(current) : next.notBefore + BACKDATE + OVERLAP,
    ...(previous === undefined ? [] : [forgetAt(current, previous)]),
  ];
  return Math.max(0, Math.min(...moments) - now) as Duration;
}
