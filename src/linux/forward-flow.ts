import { commonPrefix, type Family, ipFamily, type Prefix } from "../base/ip.ts";

/** Packets of one family that a node passes on, as far as it is known of all of them; undefined: any. */
export interface ForwardFlow {
  readonly family: Family;
  readonly inLink: string | undefined;
  readonly outLink: string | undefined;
  readonly source: Prefix | undefined;
  readonly destination: Prefix | undefined;
}

/** One side of what a node passes on. */
export interface ForwardSide {
  /** The name of the one link that leads there. */
  readonly link?: string | undefined;
  readonly prefixes: readonly Prefix[];
}

/** Both ways between the two sides, in each family that the first one has; in those of the other where it is not known. */
export function planForwardFlows(near: ForwardSide, far: ForwardSide): readonly ForwardFlow[] {
  const deciding = near.prefixes.length > 0 ? near : far;
  return ([4, 6] as const)
    .filter((family) => deciding.prefixes.some(({ address }) => ipFamily(address) === family))
    .flatMap((family) => [flow(family, near, far), flow(family, far, near)]);
}

function flow(family: Family, from: ForwardSide, to: ForwardSide): ForwardFlow {
  const around = ({ prefixes }: ForwardSide) =>
    commonPrefix(prefixes.filter(({ address }) => ipFamily(address) === family));
  return { family, inLink: from.link, outLink: to.link, source: around(from), destination: around(to) };
}
