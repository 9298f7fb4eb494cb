import { BitString, Integer, OctetString } from "asn1js";
import {
  AltName,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Extension,
  ExtKeyUsage,
  GeneralName,
  Certificate as PkijsCertificate,
  PublicKeyInfo,
  type RelativeDistinguishedNames,
  Time,
} from "pkijs";
import { type Ip, ipBytes } from "../base/ip.ts";
import { type DistinguishedName, encodeDistinguishedName } from "./distinguished-name.ts";
import { fromPem, toPem } from "./pem.ts";
import type { PrivateKey } from "./private-key.ts";

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
/** Section 4.2.1.12: both, since either end of a tunnel may begin. */
export const SERVER_AND_CLIENT = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];
/** Bits of section 4.2.1.3, first bit highest: digitalSignature; keyCertSign and cRLSign. */
const [SIGNS, SIGNS_CERTIFICATES] = [0x80, 0x06];
/** GeneralName's choices (section 4.2.1.6). */
const [DNS_NAME, IP_ADDRESS] = [2, 7] as const;
/** UTCTime has two digits for the year and ends with 2049 (section 4.1.2.5). */
const UTC_TIME_END = Date.UTC(2050, 0, 1);

/** @returns an authority that signs itself, its certificate in PEM */
export async function issueAuthority(
  key: PrivateKey,
  subject: DistinguishedName,
  validity: Validity,
): Promise<Authority> {
  const publicKey = key.publicKey();
  const name = encodeDistinguishedName(subject);
  const certificate = await sign(key, name, { ...validity, subject, publicKey }, [
    extension("basicConstraints", new BasicConstraints({ cA: true, pathLenConstraint: 0 }).toSchema(), true),
    keyUsage(SIGNS_CERTIFICATES),
    subjectKey(publicKey),
  ]);
  return { certificate, key };
}

/** @returns a certificate for both ends of IKE and of TLS, in PEM */
export function issueLeaf(authority: Authority, leaf: Leaf): Promise<string> {
  // Name and key identifier are the authority's to the byte: an adopted one may have made them otherwise than we do.
  const issuer = PkijsCertificate.fromBER(fromPem("CERTIFICATE", authority.certificate) ?? new Uint8Array());
  const names = [
    ...leaf.dnsNames.map((value) => new GeneralName({ type: DNS_NAME, value })),
    ...leaf.addresses.map((address) => {
      const valueHex = new Uint8Array(ipBytes(address)).buffer;
      return new GeneralName({ type: IP_ADDRESS, value: new OctetString({ valueHex }) });
    }),
  ];
  const extensions = [
    extension("basicConstraints", new BasicConstraints({ cA: false }).toSchema(), true),
    keyUsage(SIGNS),
    extension("extendedKeyUsage", new ExtKeyUsage({ keyPurposes: SERVER_AND_CLIENT }).toSchema()),
    subjectKey(leaf.publicKey),
    extension(
      "authorityKeyIdentifier",
      new AuthorityKeyIdentifier({
        keyIdentifier: new OctetString({ valueHex: ownIdentifier(issuer) ?? keyIdentifier(authority.key.publicKey()) }),
      }).toSchema(),
    ),
  ];
  if (names.length > 0) extensions.push(extension("subjectAltName", new AltName({ altNames: names }).toSchema()));
  return sign(authority.key, issuer.subject, leaf, extensions);
}

type Body = Pick<Leaf, "subject" | "notBefore" | "notAfter" | "publicKey">;

async function sign(
  key: PrivateKey,
  issuer: RelativeDistinguishedNames,
  body: Body,
  extensions: Extension[],
): Promise<string> {
  const certificate = new PkijsCertificate({
    version: 2,
    serialNumber: new Integer({ valueHex: newSerial() }),
    issuer,
    subject: encodeDistinguishedName(body.subject),
    notBefore: time(body.notBefore),
    notAfter: time(body.notAfter),
    subjectPublicKeyInfo: PublicKeyInfo.fromBER(body.publicKey),
    extensions,
  });
  await certificate.sign(await key.signer(), "SHA-256");
  return toPem("CERTIFICATE", new Uint8Array(certificate.toSchema(true).toBER()));
}

/** Section 4.1.2.2: a positive number of at most 20 bytes, that nobody can foretell. */
function newSerial(): ArrayBuffer {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.buffer;
}

function time(milliseconds: number): Time {
  return new Time({ type: milliseconds < UTC_TIME_END ? 0 : 1, value: new Date(milliseconds) });
}

function extension(name: keyof typeof EXTENSION, value: { toBER(): ArrayBuffer }, critical = false): Extension {
  return new Extension({ extnID: EXTENSION[name], critical, extnValue: value.toBER() });
}

function keyUsage(bits: number): Extension {
  const unusedBits = Math.clz32(bits & -bits) === 0 ? 0 : 31 - Math.clz32(bits & -bits);
  return extension("keyUsage", new BitString({ valueHex: Uint8Array.of(bits).buffer, unusedBits }), true);
}

function subjectKey(publicKey: Uint8Array<ArrayBuffer>): Extension {
  return extension("subjectKeyIdentifier", new OctetString({ valueHex: keyIdentifier(publicKey) }));
}

/** RFC 7093 section 2, method 1: the first 160 bits of SHA-256 over the key's bits. */
function keyIdentifier(publicKey: Uint8Array<ArrayBuffer>): ArrayBuffer {
  const bits = PublicKeyInfo.fromBER(publicKey).subjectPublicKey.valueBlock.valueHexView;
  return new Uint8Array(new Bun.CryptoHasher("sha256").update(bits).digest().subarray(0, 20)).buffer;
}

/** The subject key identifier that a certificate has. */
function ownIdentifier({ extensions = [] }: PkijsCertificate): ArrayBuffer | undefined {
  const value = extensions.find(({ extnID }) => extnID === EXTENSION.subjectKeyIdentifier)?.parsedValue;
  return value instanceof OctetString ? new Uint8Array(value.valueBlock.valueHexView).buffer : undefined;
}
