import { formatPrefix, type Prefix } from "../base/ip.ts";
import type { TunnelChild, TunnelConnection } from "../network/tunnel-connection.ts";
import type { ChildAssociation, IkeAssociation } from "./security-association.ts";
import type { TunnelFailure, TunnelPhase, TunnelState } from "./tunnel-state.ts";

/** Established, and neither replaced nor on its way out. */
export function isUp({ state }: IkeAssociation): boolean {
  return state === "ESTABLISHED" || state === "REKEYING";
}

/** Begun by this end, and not established. */
export function isComing({ state, initiator }: IkeAssociation): boolean {
  return initiator && (state === "CREATED" || state === "CONNECTING");
}

/** While it gets new keys or addresses, too. */
export function carriesPackets({ state }: ChildAssociation): boolean {
  return state === "INSTALLED" || state === "REKEYING" || state === "UPDATING";
}

export function childCarriers(associations: readonly IkeAssociation[], name: string): ChildAssociation[] {
  return associations.flatMap((sa) => sa.children.filter((child) => child.name === name && carriesPackets(child)));
}

export function hasWantedSelectors(child: ChildAssociation, wanted: TunnelChild): boolean {
  return sameNetworks(child.localSelectors, wanted.local) && sameNetworks(child.remoteSelectors, wanted.remote);
}

/** Charon writes networks as we do, in an order of its own. */
function sameNetworks(selectors: readonly string[], wanted: readonly Prefix[]): boolean {
  const texts = new Set(wanted.map(formatPrefix));
  return selectors.length === texts.size && selectors.every((selector) => texts.has(selector));
}

/** What people and listeners are told of a tunnel. @param loaded whether charon has the connection */
export function tunnelState(
  connection: TunnelConnection,
  associations: readonly IkeAssociation[],
  loaded: boolean,
  failure: TunnelFailure | undefined,
): TunnelState {
  const up = associations.filter(isUp);
  const names = connection.children.map((child) => child.name);
  const installedChildren = names.filter((name) => childCarriers(up, name).length > 0);
  const missingChildren = names.filter((name) => !installedChildren.includes(name));
  const phase = phaseOf(connection, associations, loaded, installedChildren.length, missingChildren.length);
  return {
    name: connection.name,
    phase,
    associations: [...associations].sort((a, b) => b.uniqueId - a.uniqueId),
    installedChildren,
    missingChildren,
    failure: phase === "up" ? undefined : failure,
  };
}

function phaseOf(
  connection: TunnelConnection,
  associations: readonly IkeAssociation[],
  loaded: boolean,
  installed: number,
  missing: number,
): TunnelPhase {
  if (missing === 0 && installed > 0) return "up";
  if (installed > 0) return "partial";
  if (!loaded) return "unloaded";
  if (associations.some((sa) => isUp(sa) || isComing(sa))) return "connecting";
  return connection.remoteAddresses.length === 0 ? "waiting" : "queued";
}

/** What of a state listeners hear of: not the counters and ages. */
export function stateDigest({ phase, associations, installedChildren, failure }: TunnelState): string {
  const sas = associations.map((sa) => [
    ...[sa.uniqueId, sa.state, sa.localHost, sa.localPort, sa.remoteHost, sa.remotePort],
    sa.children.map((child) => [child.uniqueId, child.state, child.localSelectors, child.remoteSelectors]),
  ]);
  return JSON.stringify([phase, installedChildren, failure?.text, sas]);
}
