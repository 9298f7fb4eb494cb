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
  const isNearKnown = near.prefixes.length > 0;
  return ([4, 6] as const).flatMap((family) => {
    const [here, there] = [commonPrefix(ofFamily(near, family)), commonPrefix(ofFamily(far, family))];
    if ((isNearKnown ? here : there) === undefined) return [];
    return [
      { family, inLink: near.link, outLink: far.link, source: here, destination: there },
      { family, inLink: far.link, outLink: near.link, source: there, destination: here },
    ];
  });
}

function ofFamily({ prefixes }: ForwardSide, family: Family): readonly Prefix[] {
  return prefixes.filter(({ address }) => ipFamily(address) === family);
}
