import type { Manifest } from "../../src/kube/manifest.ts";
import type { Secret } from "../../src/kube/objects/secret.ts";
import type { SecretTexts } from "./certificates.ts";
import type { DesiredCertificate } from "./document.ts";
import { ownedBy } from "./manifest-plan.ts";
import { KEY_LABEL } from "./object-names.ts";

/** What is in the Secret of a certificate, keys included. */
export interface LeafTexts {
  readonly texts: SecretTexts;
  readonly keyIsOnNode: boolean;
}

/** Where a certificate's Secret belongs. */
export type LeafPlace = Pick<DesiredCertificate, "namespace" | "name" | "labels" | "owner">;

/** A certificate's Secret as it is applied. */
export function planLeafManifest(object: LeafPlace, { texts, keyIsOnNode }: LeafTexts): Manifest {
  const { namespace, name } = object;
  const metadata = { namespace, name, ...planLeafMetadata(object, keyIsOnNode) };
  // The type asks for both keys, also where the private one is on the node alone.
  return { metadata, type: "kubernetes.io/tls", data: { "tls.key": "", ...encodeTexts(texts) } };
}

/** What is applied of its metadata, beside the name. */
export function planLeafMetadata({ labels, owner }: LeafPlace, keyIsOnNode: boolean) {
  return { labels: keyIsOnNode ? { ...labels, [KEY_LABEL]: "node" } : labels, ...ownedBy(owner) };
}

export function encodeTexts(texts: SecretTexts): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(texts).map(([key, text = ""]) => [key, new TextEncoder().encode(text).toBase64()]),
  );
}

/** Certificates and keys are text (PEM); bytes that are none become replacement characters, which no parser takes. */
export function textsOf(secret: Secret): SecretTexts {
  const decoder = new TextDecoder();
  return Object.fromEntries([...secret.data].map(([key, bytes]) => [key, decoder.decode(bytes)]));
}
