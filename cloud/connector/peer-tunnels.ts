import { tunnelChildKind, tunnelChildName } from "../../src/network/tunnel-connection.ts";
import { espCipher } from "../../src/network/tunnel-mtu.ts";
import type { IkeAssociation } from "../../src/strongswan/security-association.ts";
import { carriesPackets, isUp } from "../../src/strongswan/tunnel-look.ts";
import type { TunnelState } from "../../src/strongswan/tunnel-state.ts";
import type { PeerTunnel } from "./reach-plan.ts";

/** A peer's tunnel as it was when charon last told of it. */
export interface TunnelSight {
  /** Charon's numbers of the IKE_SAs that carry packets of the peer's pods. */
  readonly carriers: readonly number[];
  /** undefined: nothing carries anything. */
  readonly tunnel: PeerTunnel | undefined;
}

export const NO_SIGHT: TunnelSight = { carriers: [], tunnel: undefined };

/** @returns undefined: charon does not have the connection yet, so that it is not known what there is of it */
export function sightOf(state: TunnelState): TunnelSight | undefined {
  const { name, phase, failure } = state;
  if (phase === "unloaded" && failure === undefined) return undefined;
  const up = state.associations.filter(isUp);
  const carriers = up.filter((sa) => sa.children.some((child) => isCarrier(child, tunnelChildName(name, "p2p"))));
  // The newest comes first: it is where the kernel sends.
  const [newest] = up.filter((sa) => sa.children.some(carriesPackets));
  return { carriers: carriers.map(({ uniqueId }) => uniqueId), tunnel: newest && tunnelOf(state, newest) };
}

function tunnelOf({ name, installedChildren }: TunnelState, { remoteHost, children }: IkeAssociation): PeerTunnel {
  const [child] = children.filter(carriesPackets);
  return {
    remoteHost,
    carrier: { udp: child?.encapsulated ?? false, cipher: espCipher(child?.encryption, child?.integrity) },
    children: new Set(installedChildren.flatMap((installed) => tunnelChildKind(name, installed) ?? [])),
  };
}

function isCarrier(child: IkeAssociation["children"][number], name: string): boolean {
  return child.name === name && carriesPackets(child);
}
