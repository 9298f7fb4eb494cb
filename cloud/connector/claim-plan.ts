import { nextClaim, outranks } from "../../src/network/connector-claims.ts";

/** A claim of another connector. */
export interface RivalClaim {
  readonly node: string;
  readonly claim: number;
}

/** How this connector stands to one edge. */
export interface EdgeStanding {
  /** As it is published; undefined: it does not hold the edge. */
  readonly claim: number | undefined;
  /** The highest that was seen anywhere. */
  readonly highest: number;
  /** IKE_SAs that the edge has left behind when it went to another connector. */
  readonly leftBehind: readonly number[];
}

export interface StandingStep {
  readonly standing: EdgeStanding;
  /** The edge's IKE_SAs here end: it talks to another connector. */
  readonly drop: boolean;
}

export const NO_STANDING: EdgeStanding = { claim: undefined, highest: 0, leftBehind: [] };

/**
 * Where a starting connector stands: charon may have gone on while nobody looked. What it had published it still holds;
 * an edge that another has claimed since may have come back here or not, and settles it by coming again.
 *
 * @param carriers charon's numbers of the IKE_SAs that carry packets of the edge's pods, here and below
 * @param published the own claim, as the others read it
 * @param rival the highest claim of the others
 */
export function adoptStanding(
  carriers: readonly number[],
  published: number | undefined,
  rival: RivalClaim | undefined,
): EdgeStanding {
  const highest = Math.max(published ?? 0, rival?.claim ?? 0);
  const unsettled = published === undefined && rival !== undefined;
  return { claim: published, highest, leftBehind: unsettled ? carriers : [] };
}

/**
 * The next step of one edge. An edge that comes with an IKE_SA of its own is claimed, above all claims that were seen;
 * a higher claim of another says that it has gone there; and one without a tunnel is nobody's here.
 *
 * @param node this connector's
 */
export function planStanding(
  before: EdgeStanding,
  carriers: readonly number[],
  rival: RivalClaim | undefined,
  node: string,
): StandingStep {
  const highest = Math.max(before.highest, rival?.claim ?? 0);
  const leftBehind = before.leftBehind.filter((id) => carriers.includes(id));
  const fresh = carriers.some((id) => !leftBehind.includes(id));
  // Until they are gone, they are asked to go: charon may not have been there when they were first.
  if (!fresh) return { standing: { claim: undefined, highest, leftBehind }, drop: leftBehind.length > 0 };
  if (before.claim === undefined) {
    const claim = nextClaim(highest);
    return { standing: { claim, highest: claim, leftBehind }, drop: false };
  }
  if (rival !== undefined && !outranks(before.claim, node, rival.claim, rival.node)) {
    return { standing: { claim: undefined, highest, leftBehind: carriers }, drop: true };
  }
  return { standing: { claim: before.claim, highest, leftBehind }, drop: false };
}
