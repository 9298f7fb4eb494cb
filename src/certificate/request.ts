import { createPublicKey } from "node:crypto";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { contextTag, DER, decodeDer, encodeDer } from "../wire/der.ts";
import { type DistinguishedName, encodeDistinguishedName } from "./distinguished-name.ts";
import { fromPem, toPem } from "./pem.ts";
import type { PrivateKey } from "./private-key.ts";
import { isSignature, signDer } from "./signature.ts";

/** What a request (PKCS#10, RFC 2986) proves: that who made it has the key. Names in it are nobody's word. */
export interface CertificateRequest {
  /** DER of SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
}

/** One of ours has 400 bytes, one with an RSA-4096 key and FabEdge's names 2 KB. */
export const REQUEST_BYTES_MAX = 16 * 1024;
/** FabEdge's nodes make 2048; more than 8192 costs the signer's peers seconds. */
export const RSA_BITS = { min: 2048, max: 8192 } as const;

/** Section 4.1: version 1, and no attributes. */
const VERSION_1 = encodeDer(DER.integer, Uint8Array.of(0));
const NO_ATTRIBUTES = encodeDer(contextTag(0, true));

export function createRequest(key: PrivateKey, subject: DistinguishedName): string {
  const body = encodeDer(DER.sequence, VERSION_1, encodeDistinguishedName(subject), key.publicKey(), NO_ATTRIBUTES);
  return toPem("CERTIFICATE REQUEST", signDer(body, key));
}

export function parseRequest(pem: string): Result<CertificateRequest, DecodeError> {
  const refuse = (why: string) => fail({ at: "certificate request", why });
  if (pem.length > REQUEST_BYTES_MAX) return refuse(`it has ${pem.length} bytes, more than ${REQUEST_BYTES_MAX}`);
  const der = fromPem("CERTIFICATE REQUEST", pem);
  if (der === undefined) return refuse("there is no BEGIN CERTIFICATE REQUEST");
  const [request] = elementsOf(der);
  const [body, algorithm, signature] = elementsOf(request?.content);
  const [, , publicKey] = elementsOf(body?.content);
  if (body === undefined || algorithm === undefined || signature === undefined || publicKey === undefined) {
    return refuse("it is none");
  }
  const key = new Uint8Array(publicKey.whole);
  try {
    const weak = weakness(key);
    if (weak !== undefined) return refuse(weak);
    if (isSignature(body.whole, algorithm.content, signature.content, key)) return ok({ publicKey: key });
    return refuse("its signature is not made with its key, or in a way that is not known here");
  } catch (error) {
    return refuse(error instanceof Error ? error.message : "it cannot be read");
  }
}

/** None where they cannot be read. */
function elementsOf(bytes: Uint8Array<ArrayBuffer> | undefined) {
  const read = bytes === undefined ? undefined : decodeDer(bytes);
  return read?.ok === true ? read.value : [];
}

function weakness(publicKey: Uint8Array<ArrayBuffer>): string | undefined {
  const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec")
    return namedCurve === "prime256v1" ? undefined : `its curve is ${namedCurve}, not P-256`;
  if (key.asymmetricKeyType !== "rsa") return `its key is neither P-256 nor RSA, but ${key.asymmetricKeyType}`;
  if (modulusLength >= RSA_BITS.min && modulusLength <= RSA_BITS.max) return undefined;
  return `its RSA key has ${modulusLength} bits: from ${RSA_BITS.min} to ${RSA_BITS.max} are taken`;
}
