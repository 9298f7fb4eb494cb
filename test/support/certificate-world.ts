import { planAuthority, trustBundle } from "../../cloud/operator/authority-plan.ts";
import {
  readLeaf,
  readSigner,
  type SecretTexts,
  type Signer,
  takeAuthorityStep,
  takeLeafStep,
} from "../../cloud/operator/certificates.ts";
import type { DesiredCertificate } from "../../cloud/operator/document.ts";
import { planLeaf } from "../../cloud/operator/leaf-plan.ts";
import { hours } from "../../src/base/duration.ts";
import { isSignedBy, parseBundle, parseCertificate } from "../../src/certificate/certificate.ts";

export const DAY = hours(24);
export const START = Date.UTC(2026, 0, 1);
export const CA = { country: "CN", organization: "fabedge.io", commonName: "Fabedge CA" };

export function wanted(commonName: string, over: Partial<DesiredCertificate> = {}): DesiredCertificate {
  return {
    kind: "Secret",
    namespace: "fabedge",
    name: `fabedge-agent-tls-${commonName}`,
    labels: {},
    owner: undefined,
    organization: "fabedge.io",
    commonName,
    dnsNames: [commonName],
    ips: ["192.168.9.7"],
    keptWhileValid: false,
    ...over,
  };
}

/** The operator's two Secrets, of an authority and of a node, as days go by. */
export class CertificateWorld {
  authority: SecretTexts = {};
  leaf: SecretTexts = {};
  readonly steps: string[] = [];
  keyIsOnNode = false;
  /** Somebody does not hear of a successor. */
  held = false;

  signer(): Signer {
    const signer = readSigner(this.authority);
    if (signer === undefined) throw new Error("there is no authority");
    return signer;
  }

  live(now: number, leaf = wanted("paris.e1")): void {
    for (;;) {
      const step = planAuthority(readSigner(this.authority)?.state, now, this.held);
      const after = takeAuthorityStep(step, this.authority, "fabedge.io", now);
      if (after === undefined) break;
      this.authority = after;
      this.steps.push(step.step);
    }
    const signer = this.signer();
    const state = this.leaf["tls.crt"] === undefined ? undefined : readLeaf(this.leaf, this.keyIsOnNode, signer);
    const step = planLeaf(leaf, state, trustBundle(signer.state), now);
    const after = takeLeafStep(step, leaf, this.leaf, signer, now);
    if (after !== undefined) {
      this.leaf = after;
      this.steps.push(step.step);
    }
  }

  certificate() {
    const read = parseCertificate(this.leaf["tls.crt"] ?? "");
    if (!read.ok) throw new Error(read.error.why);
    return read.value;
  }
}

/** Whether a peer that trusts `bundle` takes the certificate at that moment. */
export function takes(bundle: string, leaf: CertificateWorld, now: number): boolean {
  const certificate = leaf.certificate();
  const authorities = parseBundle(bundle);
  if (!authorities.ok || now < certificate.notBefore || now > certificate.notAfter) return false;
  return authorities.value.some(
    (authority) => now <= authority.notAfter && now >= authority.notBefore && isSignedBy(certificate, authority),
  );
}
