import { type Ip, ipBytes } from "../base/ip.ts";
import {
  contextTag,
  DER,
  type DerElement,
  decodeDer,
  encodeBitString,
  encodeDer,
  encodeObjectIdentifier,
} from "../wire/der.ts";
import { type DistinguishedName, encodeDistinguishedName } from "./distinguished-name.ts";
import { fromPem, toPem } from "./pem.ts";
import type { PrivateKey } from "./private-key.ts";
import { signatureAlgorithm, signDer } from "./signature.ts";

/** Milliseconds since 1970; both ends are valid (RFC 5280 section 4.1.2.5). */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface Leaf extends Validity {
  readonly subject: DistinguishedName;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly Ip[];
  /** DER of SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
}

export interface Authority {
  /** PEM. */
  readonly certificate: string;
  readonly key: PrivateKey;
}

/** RFC 5280 section 4.2.1. */
const EXTENSION = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
} as const;
/** Section 4.2.1.12, id-kp-serverAuth and id-kp-clientAuth: both, since either end of a tunnel may begin. */
export const SERVER_AND_CLIENT = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];
/** Bits of section 4.2.1.3, first bit highest: digitalSignature; keyCertSign and cRLSign. */
const [SIGNS, SIGNS_CERTIFICATES] = [0x80, 0x06];
/** GeneralName's choices (section 4.2.1.6), and the keyIdentifier of section 4.2.1.1. */
const [DNS_NAME, IP_ADDRESS] = [contextTag(2, false), contextTag(7, false)];
const KEY_IDENTIFIER = contextTag(0, false);
/** UTCTime has two digits for the year and ends with 2049 (section 4.1.2.5). */
const UTC_TIME_END = Date.UTC(2050, 0, 1);

const TEXT = new TextEncoder();
const TRUE = encodeDer(DER.boolean, Uint8Array.of(0xff));
/** Section 4.1: version 3 has extensions. */
const VERSION_3 = encodeDer(contextTag(0, true), encodeDer(DER.integer, Uint8Array.of(2)));
const [VERSION_TAG, EXTENSIONS_TAG] = [contextTag(0, true), contextTag(3, true)];
const NO_AUTHORITY = encodeDer(DER.sequence);
/** Without further authorities below it. */
const AUTHORITY = encodeDer(DER.sequence, TRUE, encodeDer(DER.integer, Uint8Array.of(0)));

/** @returns an authority that signs itself, its certificate in PEM */
export function issueAuthority(key: PrivateKey, subject: DistinguishedName, validity: Validity): Authority {
  const publicKey = key.publicKey();
  const name = encodeDistinguishedName(subject);
  const certificate = sign(key, name, { ...validity, subject, publicKey }, [
    extension("basicConstraints", AUTHORITY, true),
    keyUsage(SIGNS_CERTIFICATES),
    subjectKey(publicKey),
  ]);
  return { certificate, key };
}

/** @returns a certificate for both ends of IKE and of TLS, in PEM */
export function issueLeaf(authority: Authority, leaf: Leaf): string {
  const issuer = readIssuer(authority);
  const names = [
    ...leaf.dnsNames.map((name) => encodeDer(DNS_NAME, TEXT.encode(name))),
    ...leaf.addresses.map((address) => encodeDer(IP_ADDRESS, ipBytes(address))),
  ];
  const purposes = SERVER_AND_CLIENT.map(encodeObjectIdentifier);
  return sign(authority.key, issuer.name, leaf, [
    extension("basicConstraints", NO_AUTHORITY, true),
    keyUsage(SIGNS),
    extension("extendedKeyUsage", encodeDer(DER.sequence, ...purposes)),
    subjectKey(leaf.publicKey),
    extension("authorityKeyIdentifier", encodeDer(DER.sequence, encodeDer(KEY_IDENTIFIER, issuer.keyIdentifier))),
    ...(names.length === 0 ? [] : [extension("subjectAltName", encodeDer(DER.sequence, ...names))]),
  ]);
}

type Body = Pick<Leaf, "subject" | "notBefore" | "notAfter" | "publicKey">;

function sign(key: PrivateKey, issuer: Uint8Array, body: Body, extensions: readonly Uint8Array[]): string {
  const certificate = encodeDer(
    DER.sequence,
    VERSION_3,
    encodeDer(DER.integer, newSerial()),
    signatureAlgorithm(key),
    issuer,
    encodeDer(DER.sequence, encodeTime(body.notBefore), encodeTime(body.notAfter)),
    encodeDistinguishedName(body.subject),
    body.publicKey,
    encodeDer(EXTENSIONS_TAG, encodeDer(DER.sequence, ...extensions)),
  );
  return toPem("CERTIFICATE", signDer(certificate, key));
}

/** Section 4.1.2.2: a positive number of at most 20 bytes, that nobody can foretell. */
function newSerial(): Uint8Array {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

function encodeTime(milliseconds: number): Uint8Array {
  const digits = `${new Date(milliseconds).toISOString().slice(0, 19).replace(/[-T:]/g, "")}Z`;
  return milliseconds < UTC_TIME_END
    ? encodeDer(DER.utcTime, TEXT.encode(digits.slice(2)))
    : encodeDer(DER.generalizedTime, TEXT.encode(digits));
}

function extension(name: keyof typeof EXTENSION, value: Uint8Array, critical = false): Uint8Array {
  const parts = critical ? [TRUE] : [];
  return encodeDer(DER.sequence, encodeObjectIdentifier(EXTENSION[name]), ...parts, encodeDer(DER.octetString, value));
}

/** @param bits of a byte; those after the last one that is set are not there (X.690 section 11.2.2) */
function keyUsage(bits: number): Uint8Array {
  return extension("keyUsage", encodeBitString(Uint8Array.of(bits), 31 - Math.clz32(bits & -bits)), true);
}

function subjectKey(publicKey: Uint8Array<ArrayBuffer>): Uint8Array {
  return extension("subjectKeyIdentifier", encodeDer(DER.octetString, keyIdentifier(publicKey)));
}

/** RFC 7093 section 2, method 1: the first 160 bits of SHA-256 over the key's bits. */
function keyIdentifier(publicKey: Uint8Array<ArrayBuffer>): Uint8Array {
  const [, bits] = inside(publicKey);
  return new Bun.CryptoHasher("sha256")
    .update(bits?.content.subarray(1) ?? publicKey)
    .digest()
    .subarray(0, 20);
}

/** Name and key identifier are the authority's to the byte: an adopted one may have made them otherwise than we do. */
function readIssuer({ certificate, key }: Authority): {
  readonly name: Uint8Array;
  readonly keyIdentifier: Uint8Array;
} {
  const [body] = inside(fromPem("CERTIFICATE", certificate) ?? new Uint8Array());
  const fields = inside(body?.whole ?? new Uint8Array());
  const [, , , , subject] = fields[0]?.tag === VERSION_TAG ? fields.slice(1) : fields;
  if (subject === undefined) throw new Error("Cannot read the authority's certificate as it is no DER");
  const extensions = inside(fields.find(({ tag }) => tag === EXTENSIONS_TAG)?.content ?? new Uint8Array());
  const wanted = encodeObjectIdentifier(EXTENSION.subjectKeyIdentifier).toHex();
  for (const { whole } of extensions) {
    const [oid, ...rest] = inside(whole);
    // An octet string in an octet string.
    const value = oid?.whole.toHex() === wanted ? rest.at(-1)?.content : undefined;
    if (value !== undefined) return { name: subject.whole, keyIdentifier: elements(value)[0]?.content ?? value };
  }
  return { name: subject.whole, keyIdentifier: keyIdentifier(key.publicKey()) };
}

function elements(bytes: Uint8Array<ArrayBuffer>): readonly DerElement[] {
  const read = decodeDer(bytes);
  return read.ok ? read.value : [];
}

/** What is in the one element that the bytes are. */
function inside(bytes: Uint8Array<ArrayBuffer>): readonly DerElement[] {
  return elements(elements(bytes)[0]?.content ?? new Uint8Array());
}
