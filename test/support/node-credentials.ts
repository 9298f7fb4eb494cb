import { hours } from "../../src/base/duration.ts";
import { SecretText } from "../../src/base/secret-text.ts";
import { type Authority, issueAuthority, issueLeaf, type Validity } from "../../src/certificate/issue.ts";
import { PrivateKey } from "../../src/certificate/private-key.ts";
import type { CertificateTexts } from "../../src/network/fabric-identity.ts";

const DAY = hours(24);
/** What the authority and the leaves of tests live for, unless told. */
export const ISSUED = Date.UTC(2026, 0, 1);
export const LIFE: Validity = { notBefore: ISSUED, notAfter: ISSUED + 90 * DAY };

export function makeAuthority(
  commonName = "Fabedge CA",
  validity: Validity = { ...LIFE, notAfter: ISSUED + 3650 * DAY },
) {
  return issueAuthority(PrivateKey.generate(), { country: "CN", organization: "fabedge.io", commonName }, validity);
}

export interface MadeCredentials extends CertificateTexts {
  readonly key: SecretText;
}

/** A node's Secret as the operator makes it. */
export function makeCredentials(
  authority: Authority,
  name: string,
  {
    validity = LIFE,
    key = PrivateKey.generate(),
    authorities = [authority],
  }: {
    readonly validity?: Validity;
    readonly key?: PrivateKey;
    readonly authorities?: readonly Authority[];
  } = {},
): MadeCredentials {
  const certificates = issueLeaf(authority, {
    subject: { country: "CN", organization: "fabedge.io", commonName: name },
    dnsNames: [name],
    addresses: [],
    publicKey: key.publicKey(),
    ...validity,
  });
  return {
    certificates,
    key: new SecretText(key.pem()),
    authorities: authorities.map(({ certificate }) => certificate).join(""),
  };
}
