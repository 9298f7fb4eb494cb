import type { Duration } from "../../src/base/duration.ts";
import { formatPrefix } from "../../src/base/ip.ts";
import type { IkeReport, TunnelChildReport, TunnelReport, TunnelReportState } from "../../src/network/tunnel-report.ts";
import type { ChildAssociation, IkeAssociation } from "../../src/strongswan/security-association.ts";
import type { TunnelPhase } from "../../src/strongswan/tunnel-state.ts";
import type { TunnelFacts } from "./tunnel-facts.ts";
import { explainTunnel } from "./tunnel-trouble.ts";

const STATES: Readonly<Record<TunnelPhase, TunnelReportState>> = {
  unloaded: "down",
  waiting: "waiting",
  queued: "queued",
  connecting: "connecting",
  partial: "partial",
  up: "up",
};

export function reportTunnel(facts: TunnelFacts): TunnelReport {
  const { own, peer, state, charon, latencySeconds } = facts;
  // What charon had before it fell silent says nothing of now.
  const reported = charon.phase === "connected" ? STATES[state?.phase ?? "unloaded"] : "down";
  const associations = state?.associations ?? [];
  const ike = associations.find((one) => one.age !== undefined) ?? associations[0];
  return {
    peer: peer.name,
    type: peer.type ?? null,
    addresses: peer.publicAddresses,
    subnets: peer.subnets.map(formatPrefix),
    nodeSubnets: peer.nodeSubnets,
    localId: own.id,
    remoteId: peer.id,
    state: reported,
    since: since(facts, reported, ike),
    trouble: reported === "up" ? null : explainTunnel(facts),
    latencySeconds: latencySeconds ?? null,
    ike: ike === undefined ? null : reportIke(ike),
    children: associations
      .flatMap(({ children }) => children)
      .map(reportChild)
      .sort((a, b) => (a.name === b.name ? b.uniqueId - a.uniqueId : a.name < b.name ? -1 : 1)),
  };
}

function since(
  { wall, failedFor }: TunnelFacts,
  state: TunnelReportState,
  ike: IkeAssociation | undefined,
): string | null {
  const ago = state === "up" || state === "partial" ? ike?.age : failedFor;
  return ago === undefined ? null : new Date(wall - ago).toISOString();
}

function reportIke(ike: IkeAssociation): IkeReport {
  return {
    uniqueId: ike.uniqueId,
    state: ike.state,
    role: ike.initiator ? "initiator" : "responder",
    local: { address: ike.localHost, port: ike.localPort },
    remote: { address: ike.remoteHost, port: ike.remotePort },
    nat: { local: ike.natLocal, remote: ike.natRemote },
    initiatorSpi: ike.initiatorSpi,
    responderSpi: ike.responderSpi,
    proposal: ike.proposal,
    establishedSeconds: toSeconds(ike.age),
    rekeySeconds: toSeconds(ike.rekeyIn),
  };
}

function reportChild(child: ChildAssociation): TunnelChildReport {
  return {
    name: child.name,
    uniqueId: child.uniqueId,
    state: child.state,
    mode: child.mode,
    encapsulated: child.encapsulated,
    localSelectors: child.localSelectors,
    remoteSelectors: child.remoteSelectors,
    proposal: child.proposal,
    spiIn: child.spiIn ?? "",
    spiOut: child.spiOut ?? "",
    bytesIn: child.bytesIn,
    packetsIn: child.packetsIn,
    lastInSeconds: toSeconds(child.idleIn),
    bytesOut: child.bytesOut,
    packetsOut: child.packetsOut,
    lastOutSeconds: toSeconds(child.idleOut),
    installedSeconds: child.age / 1000,
    rekeySeconds: toSeconds(child.rekeyIn),
    lifeSeconds: toSeconds(child.expiresIn),
  };
}

function toSeconds(duration: Duration | undefined): number | null {
  return duration === undefined ? null : duration / 1000;
}
