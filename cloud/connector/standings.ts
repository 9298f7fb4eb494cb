import type { EdgeClaim, EdgeHolder } from "../../src/network/connector-claims.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { adoptStanding, type EdgeStanding, planStanding, type RivalClaim } from "./claim-plan.ts";

/** What the edges' standings are worked out from. */
export interface StandingView {
  readonly node: string;
  readonly edges: readonly TunnelEndpoint[];
  /** Charon's numbers of the IKE_SAs that carry an edge's packets; undefined: it was never seen what there is. */
  readonly carriers: (edge: string) => readonly number[] | undefined;
  /** Among all connectors but this one. */
  readonly holders: ReadonlyMap<string, EdgeHolder>;
  /** This connector's own claims as the others read them. */
  readonly published: ReadonlyMap<string, EdgeClaim>;
}

export interface StandingChanges {
  readonly claims: readonly EdgeClaim[];
  /** Edges whose IKE_SAs here end. */
  readonly dropped: readonly string[];
}

/** How this connector stands to each edge, from one look to the next. */
export class Standings {
  readonly #known = new Map<string, EdgeStanding>();

  look({ node, edges, carriers, holders, published }: StandingView): StandingChanges {
    const claims: EdgeClaim[] = [];
    const dropped: string[] = [];
    const names = new Set(edges.map(({ name }) => name));
    for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name);
    for (const { name, subnets, nodeSubnets } of edges) {
      const ids = carriers(name);
      const before = published.get(name)?.claim;
      // What was said before is repeated until it is known to be otherwise: nobody is to lose an edge by our restart.
      const claim =
        ids === undefined ? before : this.#step(name, ids, before, rivalOf(holders.get(name)), node, dropped);
      if (claim !== undefined) claims.push({ name, claim, subnets, nodeSubnets });
    }
    return { claims, dropped };
  }

  holds(edge: string): boolean {
    return this.#known.get(edge)?.claim !== undefined;
  }

  #step(
    name: string,
    ids: readonly number[],
    published: number | undefined,
    rival: RivalClaim | undefined,
    node: string,
    dropped: string[],
  ): number | undefined {
    const known = this.#known.get(name) ?? adoptStanding(ids, published, rival);
    const { standing, drop } = planStanding(known, ids, rival, node);
    this.#known.set(name, standing);
    if (drop) dropped.push(name);
    return standing.claim;
  }
}

function rivalOf(holder: EdgeHolder | undefined): RivalClaim | undefined {
  return holder && { node: holder.connector.node, claim: holder.edge.claim };
}
