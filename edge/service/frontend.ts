import type { Family, Ip, Prefix } from "../../src/base/ip.ts";
import type { ObjectKey, Protocol } from "../../src/network/service.ts";

export interface Backend {
  readonly address: Ip;
  readonly port: number;
  /** On this node, or of unknown node: it may reach itself through its own service. */
  readonly local: boolean;
}

/** Where callers arrive: one service address (or, for node ports, every address of this node), protocol and port. */
export interface Frontend {
  readonly service: ObjectKey;
  readonly portName: string;
  /** cluster-ip: for callers inside; external: externalIPs and load balancers; node-port: the node's own addresses. */
  readonly kind: "cluster-ip" | "external" | "node-port";
  readonly family: Family;
  /** Undefined exactly for node ports. */
  readonly address: Ip | undefined;
  readonly protocol: Protocol;
  readonly port: number;
  /** For every caller, or, where `externalBackends` is set, for callers on this node and inside the cluster. Sorted. */
  readonly backends: readonly Backend[];
  /** externalTrafficPolicy Local: what callers from outside get, source address kept. Empty means drop. */
  readonly externalBackends: readonly Backend[] | undefined;
  /**
   * Of UDP, every endpoint that serves: it keeps the callers that it has, as it keeps those of TCP, also where policy,
   * topology or its own end send new ones elsewhere. Empty for other protocols.
   */
  readonly serving: readonly Backend[];
  /** ClientIP affinity. */
  readonly affinitySeconds: number | undefined;
  /** loadBalancerSourceRanges of this family; empty means everyone. */
  readonly sourceRanges: readonly Prefix[];
}

/** "10.96.0.10 TCP 53": what only one service can have. */
export function frontendId(frontend: Frontend): string {
  return `${frontend.address ?? `node-port/${frontend.family}`} ${frontend.protocol} ${frontend.port}`;
}
