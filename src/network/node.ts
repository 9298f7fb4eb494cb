import type { Ip, Prefix } from "../base/ip.ts";

/** A Kubernetes Node as this program needs it. */
export interface Node {
  readonly name: string;
  /** topology.kubernetes.io/zone */
  readonly zone: string | undefined;
  readonly addresses: readonly Ip[];
  readonly podCidrs: readonly Prefix[];
}
