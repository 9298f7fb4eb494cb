export type Random = () => number;

/** Marsaglia's generator of 32 bits: the same seed gives the same numbers. */
export function xorshift(seed: number): Random {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
