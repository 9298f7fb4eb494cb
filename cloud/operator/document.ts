import type { Prefix } from "../../src/base/ip.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import type { AgentPodSpec } from "./agent-pod.ts";
import type { Problem } from "./problem.ts";

/** The Node that an object belongs to: it goes when the Node goes. */
export interface NodeOwner {
  readonly name: string;
  readonly uid: string;
}

export type Labels = Readonly<Record<string, string>>;

export interface DesiredConfigMap {
  readonly kind: "ConfigMap";
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly owner: NodeOwner | undefined;
  readonly data: Readonly<Record<string, string>>;
}

/** Whom a certificate names. */
export interface CertificateNames {
  /** The subject is C=CN, O=organization, CN=commonName, in this order. */
  readonly organization: string;
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly ips: readonly string[];
}

/** A Secret that holds a certificate. Who it names is decided here and nowhere else. */
export interface DesiredCertificate extends CertificateNames {
  readonly kind: "Secret";
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly owner: NodeOwner | undefined;
  /** Issued again only when it is of no use: it may name other addresses, and is not renewed ahead of its end. */
  readonly keptWhileValid: boolean;
}

/** Found by its labels: its name is generated. */
export interface DesiredPod {
  readonly kind: "Pod";
  readonly namespace: string;
  readonly node: string;
  readonly generateName: string;
  /** With the hash of `spec`: a pod whose hash differs is replaced. */
  readonly labels: Labels;
  readonly owner: NodeOwner;
  readonly spec: AgentPodSpec;
}

/** Annotations of a Node that are not yet as they should be. */
export interface DesiredNodeAnnotations {
  readonly kind: "NodeAnnotations";
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface DesiredIpPool {
  readonly kind: "IPPool";
  readonly name: string;
  readonly labels: Labels;
  readonly spec: {
    readonly cidr: string;
    readonly disabled: true;
    readonly blockSize: number;
    readonly ipipMode: "Never";
    readonly vxlanMode: "Never";
    readonly natOutgoing: false;
  };
}

/** What this cluster says of itself to others. */
export interface DesiredCluster {
  readonly kind: "Cluster";
  readonly name: string;
  readonly cidrs: readonly Prefix[];
  readonly endpoints: readonly TunnelEndpoint[];
}

export type DesiredObject =
  | DesiredConfigMap
  | DesiredCertificate
  | DesiredPod
  | DesiredNodeAnnotations
  | DesiredIpPool
  | DesiredCluster;

/** "ConfigMap/fabedge/fabedge-agent-config-e1", "IPPool/paris-10-1-0-0-16"; a pod's ends in its node's name. */
export type DocumentKey = string;

/**
 * absent: to be deleted where it is and is ours. held: something is wrong with what it would say, so whatever is there
 * stays as it is.
 */
export type Desired =
  | { readonly state: "present"; readonly object: DesiredObject }
  | { readonly state: "absent" }
  | { readonly state: "held"; readonly problems: readonly Problem[] };

export const ABSENT: Desired = { state: "absent" };

export function present(object: DesiredObject): Desired {
  return { state: "present", object };
}

export function namespacedKey(kind: "ConfigMap" | "Secret" | "Pod", namespace: string, name: string): DocumentKey {
  return `${kind}/${namespace}/${name}`;
}

export function clusterKey(kind: "NodeAnnotations" | "IPPool" | "Cluster", name: string): DocumentKey {
  return `${kind}/${name}`;
}
