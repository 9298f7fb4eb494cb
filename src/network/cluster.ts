import type { Prefix } from "../base/ip.ts";
import type { TunnelEndpoint } from "./tunnel-endpoint.ts";

/** A cluster that is registered with this one, or this one itself: a `clusters.fabedge.io`. */
export interface Cluster {
  readonly name: string;
  /** metadata.creationTimestamp; of two clusters that claim one prefix, the older has it. */
  readonly created: string;
  readonly generation: number;
  /** What it says its pods and services are in. */
  readonly cidrs: readonly Prefix[];
  readonly endpoints: readonly TunnelEndpoint[];
  /** Whether a token for joining has been made; the token itself is nobody's to keep. */
  readonly hasToken: boolean;
}
