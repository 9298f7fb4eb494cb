import { hours } from "../../src/base/duration.ts";
import { formatDistinguishedName } from "../../src/certificate/distinguished-name.ts";
import { type Authority, issueAuthority, issueLeaf, type Validity } from "../../src/certificate/issue.ts";
import { PrivateKey } from "../../src/certificate/private-key.ts";

/** What a node proves itself with: its identity as charon writes it, and PEM. */
export interface NodeCertificate {
  readonly name: string;
  readonly id: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** An authority as the operator's, and certificates as it issues them: P-256, "C=CN, O=fabedge.io, CN=paris.e1". */
export class CharonCertificates {
  readonly #authority: Authority;

  constructor(commonName = "Fabedge CA") {
    const subject = { country: "CN", organization: "fabedge.io", commonName };
    this.#authority = issueAuthority(PrivateKey.generate(), subject, validity());
  }

  get authority(): string {
    return this.#authority.certificate;
  }

  /** @param name "paris.e1" @param over for one that has ended, or has not begun */
  issue(name: string, over: Partial<Validity> = {}): NodeCertificate {
    const key = PrivateKey.generate();
    const subject = { country: "CN", organization: "fabedge.io", commonName: name };
    const publicKey = key.publicKey();
    const leaf = { ...validity(), ...over, subject, dnsNames: [name], addresses: [], publicKey };
    return {
      name,
      id: formatDistinguishedName(subject),
      certificate: issueLeaf(this.#authority, leaf),
      privateKey: key.pem(),
    };
  }
}

function validity(): Validity {
  const now = Date.now();
  return { notBefore: now - hours(1), notAfter: now + hours(24) };
}
