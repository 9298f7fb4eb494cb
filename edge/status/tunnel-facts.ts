import type { Duration } from "../../src/base/duration.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import type { CharonState, TunnelState } from "../../src/strongswan/tunnel-state.ts";

/** All that is known of a peer and the tunnel to it. */
export interface TunnelFacts {
  readonly own: TunnelEndpoint;
  readonly peer: TunnelEndpoint;
  /** Whether this node can prove who it is. */
  readonly hasCredentials: boolean;
  readonly charon: CharonState;
  /** undefined: charon has not been told of it yet. */
  readonly state: TunnelState | undefined;
  /** How long ago its last failure was. */
  readonly failedFor: Duration | undefined;
  readonly latencySeconds: number | undefined;
  /** Milliseconds since 1970. */
  readonly wall: number;
}
