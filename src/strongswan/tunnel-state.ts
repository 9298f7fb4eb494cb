import type { MonotonicTime } from "../base/clock.ts";
import type { TunnelConnection } from "../network/tunnel-connection.ts";
import type { IkeAssociation } from "./security-association.ts";

/** What charon proves itself with, and whom it believes; all PEM. */
export interface CharonCredentials {
  /** One's own: the end entity's, and those between it and an authority. */
  readonly certificates: readonly string[];
  readonly privateKeys: readonly string[];
  /** Trusted authorities; two while one takes over from the other. */
  readonly authorities: readonly string[];
}

/** All that one wants of charon: connections with this local identity that are not here are taken away. */
export interface WantedTunnels {
  readonly localId: string;
  readonly connections: readonly TunnelConnection[];
  readonly credentials: CharonCredentials;
}

/**
 * Where a tunnel is: charon does not have it yet (`unloaded`); it waits for the peer to begin (`waiting`), for its turn
 * or a back-off (`queued`), or for the peer's answers (`connecting`); only some children are installed (`partial`), or
 * all (`up`).
 */
export type TunnelPhase = "unloaded" | "waiting" | "queued" | "connecting" | "partial" | "up";

export interface TunnelFailure {
  readonly at: MonotonicTime;
  /** Charon's words, such as "received AUTHENTICATION_FAILED notify error". */
  readonly text: string;
}

export interface TunnelState {
  readonly name: string;
  readonly phase: TunnelPhase;
  /** Established and coming ones; the newest first. */
  readonly associations: readonly IkeAssociation[];
  /** Names of the wanted children that carry packets now, and of those that do not. */
  readonly installedChildren: readonly string[];
  readonly missingChildren: readonly string[];
  /** Why it is not up; cleared when it is. */
  readonly failure: TunnelFailure | undefined;
}

/** Whether charon does its work: `absent` before its socket is there, `silent` when it accepts and does not answer. */
export type CharonPhase = "absent" | "silent" | "connected";

export interface CharonState {
  readonly phase: CharonPhase;
  /** "5.9.8"; undefined before the first answer. */
  readonly version: string | undefined;
  /** Why it is not connected, for people. */
  readonly failure: string | undefined;
}

export interface TunnelListener {
  /** Called after a change of phase, children, addresses or failure; not for counters. */
  onTunnel(state: TunnelState): void;
  /** A tunnel that is no longer wanted, after its SAs are gone. */
  onTunnelGone(name: string): void;
  onCharon(state: CharonState): void;
}

/** What an agent and a connector use of the keeper; see ConnectionKeeper. */
export interface TunnelKeeping {
  /** Replaces what was wanted; returns at once. Work begins when charon is there. */
  want(wanted: WantedTunnels): void;
  readonly charon: CharonState;
  tunnel(name: string): TunnelState | undefined;
  tunnels(): readonly TunnelState[];
  /**
   * Makes another IKE_SA with what is wanted now (its addresses may have changed), and drops those before it when that
   * one carries all children. At once: no back-off, no queue.
   */
  replace(name: string): void;
  /** Ends the tunnel's IKE_SAs, in charon and at the peer. One that this end begins is begun anew. */
  drop(name: string): Promise<void>;
  /** The tunnel's SAs with their counters, asked of charon now. */
  associations(name: string): Promise<readonly IkeAssociation[]>;
}
