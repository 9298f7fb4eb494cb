import type { Ip, Prefix } from "../base/ip.ts";

/** A Kubernetes Node as the operator needs it. */
export interface ClusterNode {
  readonly name: string;
  /** For the owner references of what is made for it. */
  readonly uid: string;
  /** metadata.creationTimestamp; of two nodes that claim one prefix, the older has it. */
  readonly created: string;
  /** Only labels that decide something here. */
  readonly labels: Readonly<Record<string, string>>;
  /** Only annotations that decide something here, as they are written. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Its kubelet says so, and was heard lately: what is to run there can start. */
  readonly ready: boolean;
  readonly internalIps: readonly Ip[];
  readonly podCidrs: readonly Prefix[];
}
