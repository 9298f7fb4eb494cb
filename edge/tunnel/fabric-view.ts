import { formatPrefix, type Ip, type Prefix, parseIp, prefixCovers } from "../../src/base/ip.ts";
import type { NodeConfig } from "../../src/network/node-config.ts";
import { PrefixSet } from "../../src/network/prefix-set.ts";
import { nodePrefixes } from "../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";

/** Two endpoints say that they have the same addresses; one of them is believed. */
export interface Overlap {
  readonly prefix: Prefix;
  readonly loser: string;
  readonly winner: string;
}

/** The fabric as this node takes it: whatever overlaps is one endpoint's alone. */
export interface FabricView {
  readonly own: TunnelEndpoint;
  /** By name, without prefixes that somebody else has. */
  readonly peers: readonly TunnelEndpoint[];
  readonly overlaps: readonly Overlap[];
  /** Networks of all the cluster's pods, strangers' among them: what of them is behind no peer has no way at all. */
  readonly cluster: readonly Prefix[];
}

/**
 * Of two endpoints with the same addresses every node believes the one whose name sorts first, so that all send to the
 * same. Our own pods are here whatever the cloud says: they are never sent away.
 *
 * Nested prefixes are no contradiction between a connector, which may have the whole of a cluster's range, and an edge
 * node, which has a part of it: the longer one counts.
 */
export function planFabricView({ endpoint: own, peers }: NodeConfig, cluster: readonly Prefix[] = []): FabricView {
  const overlaps: Overlap[] = [];
  // Almost all are apart: only the others are looked at in pairs.
  const doubtful = findOverlapping([own, ...peers].flatMap(({ subnets }) => subnets));
  const taken: { readonly owner: TunnelEndpoint; readonly prefix: Prefix }[] = [];
  const claim = (owner: TunnelEndpoint, prefixes: readonly Prefix[]) => {
    const kept = prefixes.filter((prefix) => {
      if (!doubtful.has(formatPrefix(prefix))) return true;
      const before = taken.find((other) => contradict(owner, prefix, other.owner, other.prefix));
      if (before !== undefined) overlaps.push(overlapOf(owner, before.owner, prefix));
      return before === undefined;
    });
    for (const prefix of kept) if (doubtful.has(formatPrefix(prefix))) taken.push({ owner, prefix });
    return kept;
  };
  claim(own, own.subnets);
  const sorted = [...peers].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { own, peers: sorted.map((peer) => ({ ...peer, subnets: claim(peer, peer.subnets) })), overlaps, cluster };
}

/** Every prefix that is behind a peer, pods and nodes apart; our own nodes' addresses are here, whoever has them too. */
export function remotePrefixes({ own, peers }: FabricView): {
  readonly pods: readonly Prefix[];
  readonly nodes: readonly Prefix[];
} {
  const here = new Set(own.nodeSubnets);
  return {
    pods: peers.flatMap((peer) => peer.subnets),
    nodes: peers.flatMap(nodePrefixes).filter(({ address }) => !here.has(address)),
  };
}

/** Its public addresses, as far as they are no host names. */
export function publicIps({ publicAddresses }: TunnelEndpoint): readonly Ip[] {
  return publicAddresses.map(parseIp).flatMap((address) => (address.ok ? [address.value] : []));
}

/** As texts: those that are there twice, have another one inside, or lie in one. */
function findOverlapping(prefixes: readonly Prefix[]): ReadonlySet<string> {
  const all = new PrefixSet(prefixes);
  const [seen, overlapping] = [new Set<string>(), new Set<string>()];
  for (const prefix of prefixes) {
    const text = formatPrefix(prefix);
    const around = all.around(prefix);
    if (around.length > 1 || seen.has(text)) for (const one of around) overlapping.add(one);
    seen.add(text);
  }
  return overlapping;
}

function contradict(a: TunnelEndpoint, of: Prefix, b: TunnelEndpoint, other: Prefix): boolean {
  if (a === b || !(prefixCovers(of, other) || prefixCovers(other, of))) return false;
  return formatPrefix(of) === formatPrefix(other) || (a.type !== "Connector" && b.type !== "Connector");
}

/** What all nodes agree on, and not whom this one happens to be. */
function overlapOf(later: TunnelEndpoint, earlier: TunnelEndpoint, prefix: Prefix): Overlap {
  const [winner = "", loser = ""] = [later.name, earlier.name].sort();
  return { prefix, winner, loser };
}
