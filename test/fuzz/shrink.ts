/** Enough for a case of a few hundred bytes; a longer one stays longer. */
const MOST_ATTEMPTS = 5000;

/**
 * A smaller input that fails alike: parts are taken away, large ones first, then bytes made zero.
 *
 * @param fails whether an input fails in the same way
 */
export async function shrink(
  input: Uint8Array,
  fails: (input: Uint8Array) => boolean | Promise<boolean>,
): Promise<Uint8Array> {
  let best = input;
  let attempts = 0;
  const attempt = async (candidate: Uint8Array): Promise<boolean> => {
    attempts += 1;
    if (attempts > MOST_ATTEMPTS || !(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let size = best.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= best.length; ) {
      const without = new Uint8Array(best.length - size);
      without.set(best.subarray(0, at));
      without.set(best.subarray(at + size), at);
      if (!(await attempt(without))) at += size;
    }
  }
  for (let at = 0; at < best.length; at++) {
    if (best[at] === 0) continue;
    const zeroed = best.slice();
    zeroed[at] = 0;
    await attempt(zeroed);
  }
  return best;
}
