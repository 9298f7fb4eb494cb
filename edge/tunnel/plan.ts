import {
  type Family,
  formatPrefix,
  type Ip,
  ipFamily,
  makePrefix,
  type Prefix,
  prefixContains,
} from "../../src/base/ip.ts";
import type { WantedRule } from "../../src/linux/routing-rules-plan.ts";
import {
  LAST_RESORT_METRIC,
  NODE_ROUTES_TABLE,
  POD_ROUTES_TABLE,
  type WantedRoute,
} from "../../src/linux/routing-table-plan.ts";
import { IKE_MARK } from "../../src/linux/uplink.ts";
import { PrefixSet } from "../../src/network/prefix-set.ts";
import { nodePrefixes, type TunnelChildKind } from "../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { SMALLEST_LINK_MTU } from "../../src/network/tunnel-mtu.ts";
import { type FabricView, publicIps, remotePrefixes } from "./fabric-view.ts";

/** How packets get into a tunnel that is up. */
export interface Way {
  /** The uplink, where the kernel's policy takes them, or charon's TUN device. */
  readonly linkIndex: number;
  /** Undefined where nobody has to pass them on. */
  readonly gateway: Ip | undefined;
  /** Of what fits into the tunnel. */
  readonly mtu: number;
}

/** What carries packets to a peer now. */
export interface PeerPath {
  readonly installed: ReadonlySet<TunnelChildKind>;
  readonly way: Way | undefined;
  /** Of the link that its ESP packets leave by; undefined: there is no way. */
  readonly uplinkMtu: number | undefined;
  /** The address that its packets would get now, were they of this node's own choice. */
  readonly uplinkSource: Ip | undefined;
  /** Of the link that they are led into: the uplink itself, or charon's. */
  readonly linkMtu: number;
  /** Where its IKE_SAs lead. */
  readonly hosts: readonly Ip[];
}

export interface TunnelFacts {
  readonly fabric: FabricView;
  /** What of the cluster's networks the main table leads to. */
  readonly native: readonly Prefix[];
  /** Peers of whose tunnels nothing is known yet: what an earlier run left for them stays. */
  readonly unknown: ReadonlySet<string>;
  /** Our routes into tunnels that are there, by their destination. */
  readonly present: { readonly pods: PresentRoutes; readonly nodes: PresentRoutes };
  /** By the peer's name; none is a tunnel that is down. */
  readonly paths: ReadonlyMap<string, PeerPath>;
  /** Of this node, on any link. */
  readonly ownAddresses: ReadonlySet<Ip>;
  /** Whether the prefix has services that this node translates itself: then its packets need no tunnel. */
  readonly servesPrefix: (prefix: Prefix) => boolean;
}

export type PresentRoutes = ReadonlyMap<string, WantedRoute>;

export interface RoutingPlan {
  readonly podRoutes: readonly WantedRoute[];
  readonly nodeRoutes: readonly WantedRoute[];
  readonly rules: readonly WantedRule[];
}

/**
 * Routes to what is behind peers. Under each lies one that leads nowhere, from the moment the peer is known: a tunnel
 * that is down sends nothing by the default route. Under all of them lie those of the cluster's networks: pods that are
 * behind no peer are as unreachable.
 */
export function planRouting(facts: TunnelFacts): RoutingPlan {
  const { own, peers } = facts.fabric;
  const pods: WantedRoute[] = [];
  const nodes: WantedRoute[] = [];
  const here = new Set(own.nodeSubnets);
  for (const peer of peers) {
    const path = facts.paths.get(peer.name);
    const [leftPods, leftNodes] = facts.unknown.has(peer.name) ? [facts.present.pods, facts.present.nodes] : [];
    const podsUp = path?.installed.has("p2p") === true || path?.installed.has("n2p") === true;
    for (const prefix of peer.subnets) {
      if (!facts.servesPrefix(prefix)) {
        pods.push(...layers(facts, peer, prefix, podsUp ? path?.way : undefined, leftPods));
      }
    }
    const nodesUp = path?.installed.has("p2n") === true;
    for (const prefix of nodePrefixes(peer)) {
      if (!here.has(prefix.address)) {
        nodes.push(...layers(facts, peer, prefix, nodesUp ? path?.way : undefined, leftNodes));
      }
    }
  }
  for (const prefix of facts.fabric.cluster) if (!facts.servesPrefix(prefix)) pods.push(nowhere(prefix));
  return { podRoutes: [...pods, ...planExceptions(facts)], nodeRoutes: nodes, rules: planRules(own) };
}

/** What lies inside a prefix that has a route here and is not to be looked for there: the main table knows the way to it. */
function planExceptions({ fabric, native, paths }: TunnelFacts): readonly WantedRoute[] {
  const ends = fabric.peers.flatMap((peer) => [...publicIps(peer), ...(paths.get(peer.name)?.hosts ?? [])]);
  const barred = new PrefixSet([...remotePrefixes(fabric).pods, ...fabric.cluster]);
  // Our own pods, those that this node's pod network leads to, and the ends of tunnels, which are not reached through them.
  const exceptions = new Map<string, Prefix>();
  for (const prefix of [...fabric.own.subnets, ...native, ...ends.map(hostPrefix)]) {
    if (barred.covers(prefix)) exceptions.set(formatPrefix(prefix), prefix);
  }
  return [...exceptions.values()].map((destination) => ({ kind: "throw", destination }));
}

function planRules(own: TunnelEndpoint): readonly WantedRule[] {
  return [
    // IKE, and ESP of charon's own, go by the main table whatever is behind the tunnel.
    ...([4, 6] as const).map((family) => ({
      family,
      priority: POD_ROUTES_TABLE,
      table: POD_ROUTES_TABLE,
      mark: { value: IKE_MARK, mask: 0xffffffff },
      invert: true,
    })),
    ...own.subnets.map((from) => ({
      family: ipFamily(from.address),
      priority: NODE_ROUTES_TABLE,
      table: NODE_ROUTES_TABLE,
      from,
    })),
  ];
}

function layers(
  facts: TunnelFacts,
  peer: TunnelEndpoint,
  destination: Prefix,
  way: Way | undefined,
  left: PresentRoutes | undefined,
): readonly WantedRoute[] {
  const family = ipFamily(destination.address);
  const present = left?.get(formatPrefix(destination));
  if (way === undefined) return present === undefined ? [nowhere(destination)] : [nowhere(destination), present];
  const gateway = way.gateway !== undefined && ipFamily(way.gateway) === family ? way.gateway : undefined;
  const source = sourceOf(facts, peer, family);
  // Linux takes smaller values for IPv6 and obeys none below this one.
  const mtu = family === 6 ? Math.max(way.mtu, SMALLEST_LINK_MTU) : way.mtu;
  return [nowhere(destination), { kind: "unicast", destination, linkIndex: way.linkIndex, gateway, source, mtu }];
}

/**
 * What packets of this node itself get: its node's address, or, where no SA is for that, its address among its pods. A
 * peer with the same node address would take what comes from there for its own, and send its answers to itself; the
 * operator takes shared addresses from all but one, so a peer without any may have ours. Of IPv6 no two nodes have the
 * same, and the kernel chooses what fits (RFC 6724).
 */
function sourceOf(
  { fabric: { own }, ownAddresses }: TunnelFacts,
  peer: TunnelEndpoint,
  family: Family,
): Ip | undefined {
  const node = own.nodeSubnets.find((address) => ipFamily(address) === family && ownAddresses.has(address));
  if (family === 6) return node;
  const theirs = peer.nodeSubnets.filter((address) => ipFamily(address) === family);
  const isShared = theirs.some((address) => address === node) || (theirs.length === 0 && peer.type === "EdgeNode");
  if (node !== undefined && !isShared) return node;
  const pods = own.subnets.filter(({ address }) => ipFamily(address) === family);
  return [...ownAddresses].find((address) => pods.some((subnet) => prefixContains(subnet, address)));
}

function nowhere(destination: Prefix): WantedRoute {
  return { kind: "unreachable", destination, metric: LAST_RESORT_METRIC };
}

function hostPrefix(address: Ip): Prefix {
  const family: Family = ipFamily(address);
  return makePrefix(address, family === 4 ? 32 : 128);
}
