import { createPublicKey, verify } from "node:crypto";
import { DER, decodeDer, encodeBitString, encodeDer, encodeObjectIdentifier } from "../wire/der.ts";
import type { PrivateKey } from "./private-key.ts";

const NULL = encodeDer(DER.null);
/** RFC 5758 section 3.2 (without parameters) and RFC 4055 section 5 (with NULL). */
const ALGORITHMS = {
  ECDSA: encodeDer(DER.sequence, encodeObjectIdentifier("1.2.840.10045.4.3.2")),
  RSA: encodeDer(DER.sequence, encodeObjectIdentifier("1.2.840.113549.1.1.11"), NULL),
} as const;
/** What others sign with: the hash by the algorithm's identifier, in hexadecimal. */
const HASHES: ReadonlyMap<string, string> = new Map(
  [
    ["1.2.840.10045.4.3.2", "sha256"],
    ["1.2.840.10045.4.3.3", "sha384"],
    ["1.2.840.10045.4.3.4", "sha512"],
    ["1.2.840.113549.1.1.11", "sha256"],
    ["1.2.840.113549.1.1.12", "sha384"],
    ["1.2.840.113549.1.1.13", "sha512"],
  ].map(([oid = "", hash = ""]) => [encodeObjectIdentifier(oid).toHex(), hash]),
);

/** AlgorithmIdentifier of what {@link signDer} signs with. */
export function signatureAlgorithm(key: PrivateKey): Uint8Array<ArrayBuffer> {
  return ALGORITHMS[key.type];
}

/** X.509's SIGNED: the body, how it was signed, and the signature. */
export function signDer(body: Uint8Array<ArrayBuffer>, key: PrivateKey): Uint8Array<ArrayBuffer> {
  return encodeDer(DER.sequence, body, signatureAlgorithm(key), encodeBitString(key.sign(body)));
}

/**
 * @param body what was signed @param algorithm content of the AlgorithmIdentifier @param signature content of the BIT STRING
 * @param publicKey DER of SubjectPublicKeyInfo
 */
export function isSignature(
  body: Uint8Array,
  algorithm: Uint8Array<ArrayBuffer>,
  signature: Uint8Array,
  publicKey: Uint8Array<ArrayBuffer>,
): boolean {
  const parts = decodeDer(algorithm);
  const hash = parts.ok ? HASHES.get(parts.value[0]?.whole.toHex() ?? "") : undefined;
  if (hash === undefined || signature[0] !== 0) return false;
  const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
  return verify(hash, body, key, signature.subarray(1));
}
