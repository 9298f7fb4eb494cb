import type { TunnelEndpointType } from "./tunnel-endpoint.ts";

/**
 * Up: every child that the two ends should have carries traffic. Partial: some do. Connecting: it is being negotiated.
 * Queued: it waits for its turn, or to be tried again. Waiting: it is the other end that has to come. Down: none of these.
 */
export type TunnelReportState = "up" | "partial" | "connecting" | "queued" | "waiting" | "down";

/** Why a tunnel is not up, with a way out; the codes are in docs/errors.md. */
export interface TunnelTrouble {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** One peer and the tunnel to it: the facts of `swanctl --list-sas`. Times are RFC 3339, spans seconds, unknown is null. */
export interface TunnelReport {
  /** The peer's name, which is the connection's. */
  readonly peer: string;
  readonly type: TunnelEndpointType | null;
  /** Where the peer may be reached, in the order in which it is tried. */
  readonly addresses: readonly string[];
  /** "10.244.1.0/24". */
  readonly subnets: readonly string[];
  readonly nodeSubnets: readonly string[];
  readonly localId: string;
  readonly remoteId: string;
  readonly state: TunnelReportState;
  /** When it came into this state. */
  readonly since: string | null;
  /** null when it is up. */
  readonly trouble: TunnelTrouble | null;
  /** Of the last probe through it; null where there was none. */
  readonly latencySeconds: number | null;
  /** null while there is no IKE_SA. */
  readonly ike: IkeReport | null;
  readonly children: readonly TunnelChildReport[];
}

export interface IkeReport {
  /** charon's number for it, as in `swanctl --list-sas`: "#7". */
  readonly uniqueId: number;
  /** charon's word: "ESTABLISHED", "CONNECTING", "REKEYING". */
  readonly state: string;
  readonly role: "initiator" | "responder";
  readonly local: TunnelSocket;
  readonly remote: TunnelSocket;
  /** Which ends are behind a NAT. */
  readonly nat: { readonly local: boolean; readonly remote: boolean };
  readonly initiatorSpi: string;
  readonly responderSpi: string;
  /** "AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519". */
  readonly proposal: string;
  readonly establishedSeconds: number | null;
  /** Until it is. */
  readonly rekeySeconds: number | null;
}

export interface TunnelSocket {
  readonly address: string;
  readonly port: number;
}

/** One CHILD_SA. */
export interface TunnelChildReport {
  /** "paris.e2-p2p". */
  readonly name: string;
  readonly uniqueId: number;
  /** charon's word: "INSTALLED", "REKEYING". */
  readonly state: string;
  /** "TUNNEL". */
  readonly mode: string;
  /** ESP in UDP (RFC 3948), since a NAT is between. */
  readonly encapsulated: boolean;
  /** As they were agreed on, which may be less than what was asked for. */
  readonly localSelectors: readonly string[];
  readonly remoteSelectors: readonly string[];
  /** "AES_GCM_16-128". */
  readonly proposal: string;
  readonly spiIn: string;
  readonly spiOut: string;
  readonly bytesIn: number;
  readonly packetsIn: number;
  /** Since a packet last came; null: none did. */
  readonly lastInSeconds: number | null;
  readonly bytesOut: number;
  readonly packetsOut: number;
  readonly lastOutSeconds: number | null;
  readonly installedSeconds: number;
  /** Until it is. */
  readonly rekeySeconds: number | null;
  /** Until it ends, come what may. */
  readonly lifeSeconds: number | null;
}

/** One peer as this node reaches it. */
export interface PeerReport {
  readonly name: string;
  readonly type: TunnelEndpointType | null;
  /** What carries packets to it now. */
  readonly path: "ipsec" | "down";
  /** The address at the other end of the path: for a connector, which of several. */
  readonly via: string | null;
  readonly latencySeconds: number | null;
  readonly subnets: readonly string[];
  readonly nodeSubnets: readonly string[];
  readonly trouble: TunnelTrouble | null;
}

/** The same facts as seen from whoever wants to reach a peer. */
export function peerOf(tunnel: TunnelReport): PeerReport {
  const { peer, type, state, ike, latencySeconds, subnets, nodeSubnets, trouble } = tunnel;
  const carries = state === "up" || state === "partial";
  return {
    name: peer,
    type,
    path: carries ? "ipsec" : "down",
    via: carries ? (ike?.remote.address ?? null) : null,
    latencySeconds,
    subnets,
    nodeSubnets,
    trouble,
  };
}
