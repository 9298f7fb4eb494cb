import type { TunnelEndpoint } from "./tunnel-endpoint.ts";

/**
 * What a node or a connector has to know of the fabric: FabEdge's tunnels.yaml. The endpoint itself, who it talks to,
 * and, where hole punching is on, who mediates.
 */
export interface NodeConfig {
  readonly endpoint: TunnelEndpoint;
  readonly peers: readonly TunnelEndpoint[];
  readonly mediator: TunnelEndpoint | undefined;
  /**
   * More peers than one ConfigMap can hold stand in so many further documents. Whoever reads has the whole only when
   * it has all of them, and until then goes on with what it had. 0: all peers are here.
   */
  readonly peerShards: number;
}

/** What a node's own ConfigMap says. */
export interface NodeDocument {
  readonly config: NodeConfig;
  /** Its agent's settings, as a settings file has them: FabEdge's config.yaml. Undefined: it says nothing of them. */
  readonly settings: string | undefined;
}
