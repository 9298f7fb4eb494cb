import { type Family, ipFamily, makePrefix, type Prefix } from "../base/ip.ts";
import { coverPrefixes } from "./prefix-cover.ts";
import { IKE_PORT, type TunnelEndpoint } from "./tunnel-endpoint.ts";

/** IKE and ESP in UDP, where a NAT may be between (RFC 7296 section 2.23). */
export const NAT_T_PORT = 4500;

/** RFC 7296 section 3.13: how many there are is one octet, and charon does not look whether it fits. */
const SELECTORS_MAX = 255;

/** Who reaches whom: own pods the peer's pods, own nodes its pods, own pods its nodes. Nodes among each other do not. */
export const TUNNEL_CHILD_KINDS = ["p2p", "n2p", "p2n"] as const;
export type TunnelChildKind = (typeof TUNNEL_CHILD_KINDS)[number];

/** Traffic selectors of one CHILD_SA (RFC 7296 section 2.9). Both sides have exactly the same families. */
export interface TunnelChild {
  readonly name: string;
  readonly local: readonly Prefix[];
  readonly remote: readonly Prefix[];
}

/** A connection of charon's in FabEdge's layout; what is not said here is charon's default or the same for all. */
export interface TunnelConnection {
  /** The peer's. */
  readonly name: string;
  readonly localId: string;
  readonly remoteId: string;
  /** Addresses or host names; none: it waits for the peer. */
  readonly remoteAddresses: readonly string[];
  /** Undefined: charon's own, 500 and 4500. */
  readonly localPort: number | undefined;
  readonly remotePort: number | undefined;
  readonly children: readonly TunnelChild[];
  /** Whether the peer comes by itself, too: a connector waits for edges. */
  readonly peerBegins: boolean;
  /** Whether a silent peer is asked if it lives (RFC 7296 section 2.4). */
  readonly dpd: boolean;
}

/** What of a connection tells whose it is; charon may hold an administrator's, too. */
export interface NamedConnection {
  readonly name: string;
  readonly localId: string;
  readonly childNames: readonly string[];
}

/** The connection that `own` loads for `peer`: of the two ends of a tunnel each makes the other's mirror image. */
export function planTunnelConnection(own: TunnelEndpoint, peer: TunnelEndpoint): TunnelConnection {
  const remoteAddresses = waitsFor(own, peer) ? [] : peer.publicAddresses;
  // A peer at another port takes IKE with the marker of RFC 3948 there from the first packet on, as FabEdge's does.
  const otherPort = remoteAddresses.length > 0 && peer.port !== undefined && peer.port !== IKE_PORT;
  const child = (kind: TunnelChildKind, local: readonly Prefix[], remote: readonly Prefix[]) =>
    planChild(tunnelChildName(peer.name, kind), local, remote);
  return {
    name: peer.name,
    localId: own.id,
    remoteId: peer.id,
    remoteAddresses,
    localPort: otherPort ? NAT_T_PORT : undefined,
    remotePort: otherPort ? peer.port : undefined,
    children: [
      ...child("p2p", own.subnets, peer.subnets),
      ...child("n2p", nodePrefixes(own), peer.subnets),
      ...child("p2n", own.subnets, nodePrefixes(peer)),
    ],
    peerBegins: !waitsFor(peer, own),
    dpd: true,
  };
}

function waitsFor(one: TunnelEndpoint, other: TunnelEndpoint): boolean {
  return one.type === "Connector" && other.type !== "Connector";
}

export function tunnelChildName(peerName: string, kind: TunnelChildKind): string {
  return `${peerName}-${kind}`;
}

/** @returns undefined for a child that is none of this connection's */
export function tunnelChildKind(peerName: string, childName: string): TunnelChildKind | undefined {
  return TUNNEL_CHILD_KINDS.find((kind) => tunnelChildName(peerName, kind) === childName);
}

/** Whether an agent or connector with that identity made it: this one, an earlier run of it, or FabEdge's. */
export function isFabricConnection(connection: NamedConnection, ownId: string): boolean {
  const { name, localId, childNames } = connection;
  return (
    localId === ownId &&
    childNames.length > 0 &&
    childNames.every((child) => tunnelChildKind(name, child) !== undefined)
  );
}

/** The nodes' own addresses as networks. */
export function nodePrefixes({ nodeSubnets }: Pick<TunnelEndpoint, "nodeSubnets">): readonly Prefix[] {
  return nodeSubnets.map((address) => makePrefix(address, ipFamily(address) === 4 ? 32 : 128));
}

/** Of a cloud with hundreds of nodes, whose pods' networks mostly lie side by side. Both ends come to the same. */
function fitSelectors(prefixes: readonly Prefix[]): readonly Prefix[] {
  if (prefixes.length <= SELECTORS_MAX) return prefixes;
  const families = Map.groupBy(prefixes, ({ address }) => ipFamily(address));
  return [...families.values()].flatMap((own) => coverPrefixes(own, Math.floor(SELECTORS_MAX / families.size)));
}

/** Only families that both sides have: a selector without a counterpart would carry nothing, and be narrowed away. */
function planChild(name: string, local: readonly Prefix[], remote: readonly Prefix[]): readonly TunnelChild[] {
  const has = (prefixes: readonly Prefix[], family: Family) =>
    prefixes.some(({ address }) => ipFamily(address) === family);
  const shared = ([4, 6] as const).filter((family) => has(local, family) && has(remote, family));
  if (shared.length === 0) return [];
  const of = (prefixes: readonly Prefix[]) =>
    fitSelectors(prefixes.filter(({ address }) => shared.includes(ipFamily(address))));
  return [{ name, local: of(local), remote: of(remote) }];
}
