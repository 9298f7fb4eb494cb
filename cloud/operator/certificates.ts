import { SelvedgeError } from "../../src/base/errors.ts";
import type { Ip } from "../../src/base/ip.ts";
import {
  type Certificate,
  hashPublicKey,
  isSignedBy,
  parseBundle,
  parseCertificate,
  readPublicKey,
} from "../../src/certificate/certificate.ts";
import { type Authority, issueAuthority, issueLeaf } from "../../src/certificate/issue.ts";
import { toPem } from "../../src/certificate/pem.ts";
import { PrivateKey } from "../../src/certificate/private-key.ts";
import { AUTHORITY_LIFE, type AuthorityState, type AuthorityStep, BACKDATE, trustBundle } from "./authority-plan.ts";
import type { CertificateNames } from "./document.ts";
import { endOfLeaf, type LeafState, type LeafStep, subjectOf } from "./leaf-plan.ts";

/** A Secret's data as text, by key. */
export type SecretTexts = Readonly<Record<string, string | undefined>>;

/** Keys of the authority's Secret: FabEdge's two, and those of a succession. */
const AUTHORITY = {
  current: { certificate: "ca.crt", key: "ca.key" },
  next: { certificate: "next.crt", key: "next.key" },
  previous: { certificate: "previous.crt" },
} as const;
/** Keys of a certificate's Secret. */
const LEAF = { certificate: "tls.crt", key: "tls.key", bundle: "ca.crt", secrets: "ipsec.secrets" } as const;
/** Beside these where the private key is on the node: the one that it has proved to have, whatever becomes of tls.crt. */
const PUBLIC_KEY = "tls.pub";

/** What signs, with its key. */
export interface Signer {
  readonly state: AuthorityState;
  readonly authority: Authority;
}

/**
 * @returns undefined where the Secret is none of an authority's
 * @throws SelvedgeError CA_INVALID: nothing is issued or replaced until a person has looked at it
 */
export function readSigner(data: SecretTexts | undefined): Signer | undefined {
  const [certificate, key] = [data?.[AUTHORITY.current.certificate], data?.[AUTHORITY.current.key]];
  if (certificate === undefined && key === undefined) return undefined;
  const current = readAuthority(certificate ?? "", AUTHORITY.current.certificate);
  const signer = parseSignerKey(key ?? "");
  if (hashPublicKey(signer.publicKey()) !== current.publicKeyHash) {
    throw invalid(`${AUTHORITY.current.key} is not the key of ${AUTHORITY.current.certificate}`);
  }
  const optional = (name: string) => {
    const pem = data?.[name];
    return pem === undefined || pem === "" ? undefined : readAuthority(pem, name);
  };
  const next = optional(AUTHORITY.next.certificate);
  const previous = optional(AUTHORITY.previous.certificate);
  return { state: { current, next, previous }, authority: { certificate: current.pem, key: signer } };
}

/** @returns the data of the Secret after the step; undefined where it keeps what it has */
export function takeAuthorityStep(
  { step }: AuthorityStep,
  data: SecretTexts,
  organization: string,
  now: number,
): SecretTexts | undefined {
  const { current, next, previous } = AUTHORITY;
  switch (step) {
    case "create": {
      const made = newAuthority(organization, now);
      const ended = data[current.certificate];
      return {
        ...{ [current.certificate]: made.certificate, [current.key]: made.key.pem() },
        ...(ended === undefined ? {} : { [previous.certificate]: ended }),
      };
    }
    case "prepare": {
      const made = newAuthority(organization, now);
      return { ...data, [next.certificate]: made.certificate, [next.key]: made.key.pem() };
    }
    case "switch":
      return {
        [current.certificate]: data[next.certificate],
        [current.key]: data[next.key],
        [previous.certificate]: data[current.certificate],
      };
    case "forget":
      return { [current.certificate]: data[current.certificate], [current.key]: data[current.key] };
    case "keep":
      return undefined;
  }
}

export function readLeaf(data: SecretTexts, keyIsOnNode: boolean, signer: Signer): LeafState {
  const parsed = parseCertificate(data[LEAF.certificate] ?? "");
  const certificate = parsed.ok ? parsed.value : undefined;
  return {
    certificate,
    bundle: data[LEAF.bundle] ?? "",
    key: keyIsOnNode ? "node" : hasKey(data, certificate) ? "secret" : "none",
    signedByCurrent: certificate !== undefined && isSignedBy(certificate, signer.state.current),
  };
}

/** @returns the data of the Secret after the step; undefined where it keeps what it has */
export function takeLeafStep(
  step: LeafStep,
  wanted: CertificateNames,
  data: SecretTexts,
  signer: Signer,
  now: number,
): SecretTexts | undefined {
  const bundle = trustBundle(signer.state);
  switch (step.step) {
    case "keep":
      return undefined;
    case "rebundle":
      return { ...data, [LEAF.bundle]: bundle };
    case "issue": {
      if (step.key === "same") {
        return certifyKey(wanted, readNodeKey(wanted, data), signer, now);
      }
      const key = PrivateKey.generate();
      return {
        [LEAF.certificate]: issue(wanted, key.publicKey(), signer, now),
        [LEAF.key]: key.pem(),
        [LEAF.bundle]: bundle,
        [LEAF.secrets]: `: ${key.type} ${LEAF.key}\n`,
      };
    }
  }
}

/** @returns the data of the Secret of whoever has the key for itself */
export function certifyKey(
  wanted: CertificateNames,
  publicKey: Uint8Array<ArrayBuffer>,
  signer: Signer,
  now: number,
): SecretTexts {
  return {
    [LEAF.certificate]: issue(wanted, publicKey, signer, now),
    [LEAF.bundle]: trustBundle(signer.state),
    [PUBLIC_KEY]: toPem("PUBLIC KEY", publicKey),
  };
}

/** @returns DER of SubjectPublicKeyInfo */
function readNodeKey({ commonName }: CertificateNames, data: SecretTexts): Uint8Array<ArrayBuffer> {
  const key = readPublicKey(data[PUBLIC_KEY] ?? "") ?? readPublicKey(data[LEAF.certificate] ?? "");
  if (key !== undefined) return key;
  throw new SelvedgeError(`Cannot renew the certificate of ${commonName} as its Secret no longer tells its key`, {
    code: "NODE_KEY_LOST",
    blame: "user",
    retry: "later",
    hint: "Let the node join again: selvedge-cloud token create NODE prints the line to run there.",
  });
}

function newAuthority(organization: string, now: number): Authority {
  const subject = { country: "CN", organization, commonName: "Selvedge CA" };
  return issueAuthority(PrivateKey.generate(), subject, { notBefore: now - BACKDATE, notAfter: now + AUTHORITY_LIFE });
}

function issue(
  wanted: CertificateNames,
  publicKey: Uint8Array<ArrayBuffer>,
  { state, authority }: Signer,
  now: number,
): string {
  return issueLeaf(authority, {
    subject: subjectOf(wanted),
    dnsNames: wanted.dnsNames,
    addresses: wanted.ips as readonly Ip[],
    publicKey,
    notBefore: now - BACKDATE,
    notAfter: endOfLeaf(state.current, now),
  });
}

function parseSignerKey(pem: string): PrivateKey {
  try {
    return PrivateKey.parse(pem);
  } catch {
    throw invalid(`${AUTHORITY.current.key} holds no private key, or one that is neither P-256 nor RSA`);
  }
}

function hasKey(data: SecretTexts, certificate: Certificate | undefined): boolean {
  try {
    return hashPublicKey(PrivateKey.parse(data[LEAF.key] ?? "").publicKey()) === certificate?.publicKeyHash;
  } catch {
    return false;
  }
}

function readAuthority(pem: string, name: string): Certificate {
  const bundle = parseBundle(pem);
  const [certificate] = bundle.ok ? bundle.value : [];
  if (certificate === undefined) throw invalid(`${name} holds no certificate`);
  if (!certificate.isAuthority) throw invalid(`${name} is no authority's certificate`);
  return certificate;
}

function invalid(what: string): SelvedgeError {
  return new SelvedgeError(`Cannot issue certificates as the Secret of the authority is not usable: ${what}`, {
    code: "CA_INVALID",
    blame: "user",
    retry: "later",
    hint: "Put ca.crt and ca.key of one authority into the Secret, or delete it: then a new authority is made, and every node gets new certificates.",
  });
}
