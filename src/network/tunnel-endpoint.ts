import type { Ip, Prefix } from "../base/ip.ts";

/** FabEdge's words for what an endpoint is. */
export const ENDPOINT_TYPES = ["Connector", "EdgeNode"] as const;
export type TunnelEndpointType = (typeof ENDPOINT_TYPES)[number];

/** IKE's own port (RFC 7296 section 2). */
export const IKE_PORT = 500;

/**
 * One end of a tunnel, FabEdge's "Endpoint": an edge node, or a cluster's connector. Its name is
 * `<cluster>.<node>` or `<cluster>.connector` and stands in its certificate.
 */
export interface TunnelEndpoint {
  /** The IKE identity, a distinguished name: "C=CN, O=fabedge.io, CN=paris.e1". */
  readonly id: string;
  readonly name: string;
  /** Addresses or host names at which it may be reached, in the order of preference. */
  readonly publicAddresses: readonly string[];
  /** Its IKE port where that is not 500. */
  readonly port: number | undefined;
  /** What is behind it: pods, and, behind a connector, services. */
  readonly subnets: readonly Prefix[];
  /** The nodes' own addresses. */
  readonly nodeSubnets: readonly Ip[];
  /** A mediator has none. */
  readonly type: TunnelEndpointType | undefined;
}
