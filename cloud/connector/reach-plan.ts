import type { Ip, Prefix } from "../../src/base/ip.ts";
import type { ConnectorPublication, EdgeHolder } from "../../src/network/connector-claims.ts";
import type { NodeConfig } from "../../src/network/node-config.ts";
import { nodePrefixes, type TunnelChildKind } from "../../src/network/tunnel-connection.ts";
import type { EspCarrier } from "../../src/network/tunnel-mtu.ts";

/** Where a tunnel leads, and in what. */
export interface TunnelEnd {
  readonly remoteHost: Ip;
  readonly carrier: Pick<EspCarrier, "udp" | "cipher">;
}

/** How packets get to a peer: by the tunnel to an address, by another connector, or not at all. */
export type Way =
  | ({ readonly kind: "tunnel" } & TunnelEnd)
  | { readonly kind: "connector"; readonly connector: ConnectorPublication }
  | { readonly kind: "none" };

export interface Reach {
  readonly destination: Prefix;
  readonly way: Way;
}

/** The ways to everything that is behind a peer, whether it is there now or not. */
export interface ReachPlan {
  readonly pods: readonly Reach[];
  /** The peers' own addresses, which only pods have to reach by these ways. */
  readonly nodes: readonly Reach[];
}

/** A peer's tunnel as charon has it. */
export interface PeerTunnel extends TunnelEnd {
  /** Children that carry packets. */
  readonly children: ReadonlySet<TunnelChildKind>;
}

const NONE: Way = { kind: "none" };

/**
 * @param tunnels of peers that this connector holds, by their names
 * @param holders of edges, among all connectors but this one
 */
export function planReach(
  { endpoint, peers }: NodeConfig,
  tunnels: ReadonlyMap<string, PeerTunnel>,
  holders: ReadonlyMap<string, EdgeHolder>,
): ReachPlan {
  const pods: Reach[] = [];
  const nodes: Reach[] = [];
  const taken = new Set([...endpoint.subnets, ...nodePrefixes(endpoint)].map(keyOf));
  const add = (reaches: Reach[], prefixes: readonly Prefix[], way: Way) => {
    for (const destination of prefixes) {
      // What the cluster has itself it does not look for elsewhere, and of two peers with the same the first has it.
      const key = keyOf(destination);
      if (!taken.has(key)) reaches.push({ destination, way });
      taken.add(key);
    }
  };
  for (const peer of peers) {
    const tunnel = tunnels.get(peer.name);
    const holder = tunnel === undefined ? holders.get(peer.name) : undefined;
    const other: Way = holder === undefined ? NONE : { kind: "connector", connector: holder.connector };
    const by = (child: TunnelChildKind): Way =>
      tunnel?.children.has(child) === true
        ? { kind: "tunnel", remoteHost: tunnel.remoteHost, carrier: tunnel.carrier }
        : other;
    add(pods, peer.subnets, by("p2p"));
    add(nodes, nodePrefixes(peer), by("p2n"));
  }
  return { pods, nodes };
}

function keyOf({ address, length }: Prefix): string {
  return `${address}/${length}`;
}
