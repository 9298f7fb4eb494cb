import type { Certificate } from "../../src/certificate/certificate.ts";
import { formatDistinguishedName } from "../../src/certificate/distinguished-name.ts";
import { formatTime, LEAF_LIFE } from "./authority-plan.ts";
import type { CertificateNames, DesiredCertificate } from "./document.ts";
import { fnv1a } from "./fnv.ts";

/** What the Secret of a certificate holds now. */
export interface LeafState {
  /** Undefined where it cannot be read. */
  readonly certificate: Certificate | undefined;
  /** The authorities that it tells its holder to trust. */
  readonly bundle: string;
  /** secret: beside the certificate, and fits it; node: on the node alone; none: it is missing or another's. */
  readonly key: "secret" | "node" | "none";
  /** Whether the authority that signs now has signed it. */
  readonly signedByCurrent: boolean;
}

export type LeafStep =
  | { readonly step: "issue"; readonly key: "new" | "same"; readonly why: string }
  /** Only what it trusts has changed. */
  | { readonly step: "rebundle" }
  | { readonly step: "keep" };

/** Renewals of certificates that were made together are spread over a tenth of their life. */
const SPREAD = 0.1;
const RENEW_AT = 2 / 3;

type Wanted = CertificateNames & Partial<Pick<DesiredCertificate, "keptWhileValid">>;

export function planLeaf(wanted: Wanted, state: LeafState | undefined, bundle: string, now: number): LeafStep {
  const why = state === undefined ? "there is none" : reasonToIssue(wanted, state, now);
  if (why !== undefined) return { step: "issue", key: state?.key === "node" ? "same" : "new", why };
  return state?.bundle === bundle ? { step: "keep" } : { step: "rebundle" };
}

function reasonToIssue(wanted: Wanted, state: LeafState, now: number): string | undefined {
  const { certificate, key, signedByCurrent } = state;
  if (certificate === undefined) return "what is there cannot be read";
  if (key === "none") return "its key is missing or another's";
  const subject = formatDistinguishedName(certificate.subject);
  if (subject !== formatDistinguishedName(subjectOf(wanted))) return `it names ${subject}`;
  const kept = wanted.keptWhileValid === true;
  if (!kept && !sameNames(wanted.dnsNames, certificate.dnsNames)) return "its DNS names are others";
  if (!kept && !sameNames(wanted.ips, certificate.addresses)) return "its addresses are others";
  if (!signedByCurrent) return "another authority signs now";
  if (now < certificate.notBefore) return `it is valid only from ${formatTime(certificate.notBefore)}`;
  const until = kept ? certificate.notAfter : renewAt(certificate, wanted.commonName);
  return now >= until ? `it ends at ${formatTime(certificate.notAfter)}` : undefined;
}

/** At two thirds of its life, a little earlier or later by its name. */
export function renewAt({ notBefore, notAfter }: Certificate, commonName: string): number {
  const spread = (fnv1a(commonName) / 2 ** 32 - 0.5) * SPREAD;
  return notBefore + (notAfter - notBefore) * (RENEW_AT + spread);
}

export function subjectOf({ organization, commonName }: CertificateNames) {
  return { country: "CN", organization, commonName };
}

/** No longer than its signer, which the peer would refuse with it. */
export function endOfLeaf(authority: Certificate, now: number): number {
  return Math.min(now + LEAF_LIFE, authority.notAfter);
}

function sameNames(wanted: readonly string[], found: readonly string[]): boolean {
  return wanted.toSorted().join() === found.toSorted().join();
}
