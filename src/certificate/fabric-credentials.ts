import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { SecretText } from "../base/secret-text.ts";
import type { CertificateTexts, FabricCredentials } from "../network/fabric-identity.ts";
import type { TunnelEndpoint } from "../network/tunnel-endpoint.ts";
import { type Certificate, hashPublicKey, isSignedBy, parseBundle } from "./certificate.ts";
import { formatDistinguishedName } from "./distinguished-name.ts";
import { PrivateKey } from "./private-key.ts";

/** Credentials that fit together, with what there is to know of them. */
export interface ReadCredentials {
  readonly credentials: FabricCredentials;
  readonly own: Certificate;
  /** From the own certificate's signer to the authority: each has signed the one before it. */
  readonly signers: readonly Certificate[];
}

/** Certificates whose key has not been looked at. */
interface ReadCertificates {
  readonly chain: readonly [Certificate, ...Certificate[]];
  readonly authorities: readonly Certificate[];
  readonly signers: readonly Certificate[];
}

/** What is wrong with texts as they are delivered, whoever the node is; a key that is not among them is not missed. */
export function judgeTexts(texts: CertificateTexts): DecodeError | undefined {
  const read = texts.key === undefined ? readCertificates(texts) : readCredentials(texts, texts.key);
  return read.ok ? undefined : read.error;
}

/** Takes texts for credentials: a key, its certificate, and authorities that have signed it. Times are not looked at. */
export function readCredentials(texts: CertificateTexts, keyText: SecretText): Result<ReadCredentials, DecodeError> {
  const read = readCertificates(texts);
  if (!read.ok) return read;
  const { chain, authorities, signers } = read.value;
  const key = readKey(keyText);
  if (key === undefined) return fail({ at: "tls.key", why: "neither a P-256 nor an RSA key in PEM" });
  if (hashPublicKey(key.publicKey()) !== chain[0].publicKeyHash) {
    return fail({ at: "tls.key", why: "not the key of the certificate" });
  }
  const credentials: FabricCredentials = {
    certificates: chain.map(({ pem }) => pem),
    key: new SecretText(key.pem()),
    authorities: authorities.map(({ pem }) => pem),
  };
  return ok({ credentials, own: chain[0], signers });
}

/** @returns what keeps the certificate from proving that identity */
export function judgeName(own: Certificate, { id }: Pick<TunnelEndpoint, "id">): DecodeError | undefined {
  const subject = formatDistinguishedName(own.subject);
  const names = [...own.dnsNames, ...own.addresses];
  if (normalName(id) === normalName(subject) || names.some((name) => name === id)) return undefined;
  return { at: "tls.crt", why: `the certificate of "${subject}", and this node is "${id}"` };
}

function readCertificates(texts: CertificateTexts): Result<ReadCertificates, DecodeError> {
  const certificates = parseBundle(texts.certificates);
  if (!certificates.ok) return fail({ at: "tls.crt", why: certificates.error.why });
  const authorities = parseBundle(texts.authorities);
  if (!authorities.ok) return fail({ at: "ca.crt", why: authorities.error.why });
  const [own, ...between] = certificates.value;
  if (own === undefined) return fail({ at: "tls.crt", why: "empty" });
  const signers = findSigners(own, between, authorities.value);
  if (signers === undefined) return fail({ at: "ca.crt", why: "none of the authorities has signed the certificate" });
  return ok({ chain: [own, ...between], authorities: authorities.value, signers });
}

/** An authority that lives longer goes before one that has ended and signed as well. */
function findSigners(
  certificate: Certificate,
  between: readonly Certificate[],
  authorities: readonly Certificate[],
): readonly Certificate[] | undefined {
  const lasting = [...authorities].sort((a, b) => b.notAfter - a.notAfter);
  const direct = lasting.find((authority) => isSignedBy(certificate, authority));
  if (direct !== undefined) return [direct];
  for (const next of between) {
    if (!isSignedBy(certificate, next)) continue;
    const rest = findSigners(
      next,
      between.filter((other) => other !== next),
      authorities,
    );
    if (rest !== undefined) return [next, ...rest];
  }
  return undefined;
}

function readKey(text: SecretText): PrivateKey | undefined {
  try {
    return PrivateKey.parse(text.reveal());
  } catch {
    return undefined;
  }
}

/** "C=CN,O=x, CN=y" and "C=CN, O=x, CN=y" are one name. */
function normalName(name: string): string {
  return name
    .split(",")
    .map((part) => part.trim())
    .join(", ");
}
