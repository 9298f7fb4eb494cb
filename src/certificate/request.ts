import { createPublicKey } from "node:crypto";
import { CertificationRequest, PublicKeyInfo } from "pkijs";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { type DistinguishedName, encodeDistinguishedName } from "./distinguished-name.ts";
import { fromPem, toPem } from "./pem.ts";
import type { PrivateKey } from "./private-key.ts";

/** What a request (PKCS#10, RFC 2986) proves: that who made it has the key. Names in it are nobody's word. */
export interface CertificateRequest {
  /** DER of SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
}

/** One of ours has 400 bytes, one with an RSA-4096 key and FabEdge's names 2 KB. */
export const REQUEST_BYTES_MAX = 16 * 1024;
/** FabEdge's nodes make 2048; more than 8192 costs the signer's peers seconds. */
export const RSA_BITS = { min: 2048, max: 8192 } as const;

export async function createRequest(key: PrivateKey, subject: DistinguishedName): Promise<string> {
  const request = new CertificationRequest({
    version: 0,
    subject: encodeDistinguishedName(subject),
    subjectPublicKeyInfo: PublicKeyInfo.fromBER(key.publicKey()),
  });
  await request.sign(await key.signer(), "SHA-256");
  return toPem("CERTIFICATE REQUEST", new Uint8Array(request.toSchema(true).toBER()));
}

export async function parseRequest(pem: string): Promise<Result<CertificateRequest, DecodeError>> {
  const refuse = (why: string) => fail({ at: "certificate request", why });
  if (pem.length > REQUEST_BYTES_MAX) return refuse(`it has ${pem.length} bytes, more than ${REQUEST_BYTES_MAX}`);
  const der = fromPem("CERTIFICATE REQUEST", pem);
  if (der === undefined) return refuse("there is no BEGIN CERTIFICATE REQUEST");
  try {
    const request = CertificationRequest.fromBER(der);
    const publicKey = new Uint8Array(request.subjectPublicKeyInfo.toSchema().toBER());
    const weak = weakness(publicKey);
    if (weak !== undefined) return refuse(weak);
    if (!(await request.verify())) return refuse("its signature is not made with its key");
    return ok({ publicKey });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : "it cannot be read");
  }
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
