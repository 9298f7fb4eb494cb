import { formatPrefix, type Ip, type Prefix } from "../base/ip.ts";

/**
 * Beyond it a claim does not count: a new one in every microsecond reaches it after nine years, and a sum of it and
 * one is still exact.
 */
export const CLAIM_MAX = 2 ** 48;
/** How a publication is written; whoever reads another version keeps what it has. */
export const PUBLICATION_VERSION = 1;

/**
 * "This edge is connected to me." The number is a Lamport clock of one edge: whoever gets the edge claims it with one
 * more than the highest claim of it that it has seen, so that no wall clocks are compared.
 */
export interface EdgeClaim {
  /** The endpoint's name, `<cluster>.<node>`. */
  readonly name: string;
  readonly claim: number;
  /** The edge's pods. */
  readonly subnets: readonly Prefix[];
  /** The edge's own addresses. */
  readonly nodeSubnets: readonly Ip[];
}

/** What one connector says to the cluster: where it is, and whom it holds. */
export interface ConnectorPublication {
  /** The Kubernetes node that it runs on. */
  readonly node: string;
  /** That node's own address. */
  readonly address: Ip;
  /** The pods' prefixes of that node: the way to them is the way to the connector. */
  readonly prefixes: readonly Prefix[];
  readonly edges: readonly EdgeClaim[];
}

export interface EdgeHolder {
  readonly connector: ConnectorPublication;
  readonly edge: EdgeClaim;
}

/** Who holds each edge, by its name: the highest claim does, and of equal ones the connector of the smaller name. */
export function planHolders(publications: Iterable<ConnectorPublication>): ReadonlyMap<string, EdgeHolder> {
  const holders = new Map<string, EdgeHolder>();
  for (const connector of publications) {
    for (const edge of connector.edges) {
      const before = holders.get(edge.name);
      if (before === undefined || outranks(edge.claim, connector.node, before.edge.claim, before.connector.node)) {
        holders.set(edge.name, { connector, edge });
      }
    }
  }
  return holders;
}

/** Whether the first claim counts, and the second one does not. */
export function outranks(claim: number, node: string, otherClaim: number, otherNode: string): boolean {
  return claim === otherClaim ? node < otherNode : claim > otherClaim;
}

/** @param highest the highest claim of this edge that has been seen anywhere; 0: none */
export function nextClaim(highest: number): number {
  return Math.min(highest + 1, CLAIM_MAX);
}

/** JSON, the edges by their names: two publications say the same exactly when their texts are equal. */
export function formatPublication({ node, address, prefixes, edges }: ConnectorPublication): string {
  const byName = [...edges].sort((a, b) => (a.name < b.name ? -1 : 1));
  return JSON.stringify({
    version: PUBLICATION_VERSION,
    node,
    address,
    prefixes: prefixes.map(formatPrefix),
    edges: byName.map(({ name, claim, subnets, nodeSubnets }) => ({
      name,
      claim,
      subnets: subnets.map(formatPrefix),
      nodeSubnets,
    })),
  });
}
