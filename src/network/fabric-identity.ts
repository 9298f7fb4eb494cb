import type { SecretText } from "../base/secret-text.ts";
import type { NodeConfig } from "./node-config.ts";

/** What is delivered to a node, as a Secret of type kubernetes.io/tls or as files: PEM that nobody has looked into. */
export interface CertificateTexts {
  /** The node's own first. */
  readonly certificates: string;
  /** undefined: it is on the node alone. */
  readonly key: SecretText | undefined;
  readonly authorities: string;
}

/** What a node proves its name with, checked: the key is the certificate's, and the certificate bears the node's name. */
export interface FabricCredentials {
  /** PEM, one each: the node's own certificate first, what chains it to an authority after it. */
  readonly certificates: readonly string[];
  /** PEM: PKCS#1 or SEC 1, which charon's loaders take. */
  readonly key: SecretText;
  /** PEM, one each: all authorities that peers may be signed by, two while one replaces the other. */
  readonly authorities: readonly string[];
}

/** What a node knows of itself in the fabric. */
export interface FabricIdentity {
  /** Whole: with the peers of all its further documents. */
  readonly config: NodeConfig;
  /** undefined: none that can be used yet, so no tunnel can be; what must not leave in clear is known all the same. */
  readonly credentials: FabricCredentials | undefined;
}

/** Told with what the last run knew as soon as there is something, and then with each change. Nothing is ever taken back. */
export type OnFabricIdentity = (identity: FabricIdentity) => void;
