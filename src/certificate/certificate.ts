import { createHash, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { type Ip, parseIp } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { type DistinguishedName, parseSubjectLines } from "./distinguished-name.ts";

/** What is looked at in a certificate. Times in milliseconds since 1970. */
export interface Certificate {
  readonly pem: string;
  readonly subject: DistinguishedName;
  readonly issuer: DistinguishedName;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Upper-case hexadecimal. */
  readonly serial: string;
  readonly isAuthority: boolean;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly Ip[];
  /** Object identifiers of extended key usage. */
  readonly usages: readonly string[];
  /** SHA-256 of the whole, lower-case hexadecimal: what a join command pins. */
  readonly fingerprint: string;
  /** SHA-256 of the SubjectPublicKeyInfo, in base64. */
  readonly publicKeyHash: string;
}

/** A certificate of ours has 1 KB, one of an RSA-4096 authority 2 KB. */
export const CERTIFICATE_BYTES_MAX = 16 * 1024;
/** Trust bundles hold two authorities while one replaces the other. */
export const BUNDLE_CERTIFICATES_MAX = 16;

const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g;

export function parseCertificate(pem: string): Result<Certificate, DecodeError> {
  if (pem.length > CERTIFICATE_BYTES_MAX)
    return fail({ at: "certificate", why: `it has ${pem.length} bytes, more than ${CERTIFICATE_BYTES_MAX}` });
  try {
    const certificate = new X509Certificate(pem);
    const names = (certificate.subjectAltName ?? "").split(", ");
    const ofKind = (kind: string) =>
      names.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length));
    return ok({
      pem,
      subject: parseSubjectLines(certificate.subject),
      issuer: parseSubjectLines(certificate.issuer),
      notBefore: certificate.validFromDate.getTime(),
      notAfter: certificate.validToDate.getTime(),
      serial: certificate.serialNumber,
      isAuthority: certificate.ca,
      dnsNames: ofKind("DNS:"),
      addresses: ofKind("IP Address:").flatMap((text) => {
        const address = parseIp(text);
        return address.ok ? [address.value] : [];
      }),
      usages: certificate.keyUsage ?? [],
      fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
      publicKeyHash: hashPublicKey(exportKey(certificate.publicKey)),
    });
  } catch (error) {
    return fail({ at: "certificate", why: error instanceof Error ? error.message : "it cannot be read" });
  }
}

/** All certificates of a PEM text, such as a trust bundle. What stands between them is passed over. */
export function parseBundle(pem: string): Result<readonly Certificate[], DecodeError> {
  const blocks = pem.slice(0, CERTIFICATE_BYTES_MAX * BUNDLE_CERTIFICATES_MAX).match(BLOCK) ?? [];
  if (blocks.length === 0) return fail({ at: "certificate", why: "there is no BEGIN CERTIFICATE" });
  if (blocks.length > BUNDLE_CERTIFICATES_MAX)
    return fail({ at: "certificate", why: `there are more than ${BUNDLE_CERTIFICATES_MAX}` });
  const certificates: Certificate[] = [];
  for (const block of blocks) {
    const certificate = parseCertificate(`${block}\n`);
    if (!certificate.ok) return certificate;
    certificates.push(certificate.value);
  }
  return ok(certificates);
}

/** Of authorities: one verifies all leaves there are, and what Node keeps of a certificate is out of the collector's sight. */
const VERIFIERS = new WeakMap<Certificate, KeyObject>();

/** Whether `authority`'s key signed `certificate`; times are not looked at. */
export function isSignedBy(certificate: Certificate, authority: Certificate): boolean {
  return authority.isAuthority && new X509Certificate(certificate.pem).verify(verifierOf(authority));
}

function verifierOf(authority: Certificate): KeyObject {
  const known = VERIFIERS.get(authority);
  if (known !== undefined) return known;
  const key = new X509Certificate(authority.pem).publicKey;
  VERIFIERS.set(authority, key);
  return key;
}

/** @param pem of a certificate or of the key itself. @returns DER of SubjectPublicKeyInfo; undefined where it is neither */
export function readPublicKey(pem: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return exportKey(createPublicKey(pem));
  } catch {
    return undefined;
  }
}

function exportKey(key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(key.export({ type: "spki", format: "der" }));
}

/** @returns SHA-256 in base64, as RFC 7469 pins keys */
export function hashPublicKey(publicKey: Uint8Array): string {
  return createHash("sha256").update(publicKey).digest("base64");
}
