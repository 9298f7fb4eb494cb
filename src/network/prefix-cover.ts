import { ipBytes, makePrefix, type Prefix } from "../base/ip.ts";

/**
 * At most so many prefixes that have all of these inside, as little as possible beside them: halves of one prefix are
 * joined always, others only until there are few enough.
 *
 * @param prefixes of one family
 */
export function coverPrefixes(prefixes: readonly Prefix[], most: number): readonly Prefix[] {
  const cover: Prefix[] = [];
  const sorted = [...prefixes].sort(
    (a, b) => compareBytes(ipBytes(a.address), ipBytes(b.address)) || a.length - b.length,
  );
  for (const prefix of sorted) {
    const last = cover.at(-1);
    if (last === undefined || commonLength(last, prefix) < last.length) push(cover, prefix);
  }
  while (cover.length > most) {
    let [at, longest] = [1, -1];
    for (let i = 1; i < cover.length; i++) {
      const length = common(cover, i);
      if (length > longest) [at, longest] = [i, length];
    }
    const [first] = cover.splice(at - 1, 2);
    if (first !== undefined) cover.splice(at - 1, 0, makePrefix(first.address, longest));
  }
  return cover;
}

function push(cover: Prefix[], prefix: Prefix): void {
  cover.push(prefix);
  for (let i = cover.length - 1; i > 0; i--) {
    const [a, b] = [cover[i - 1], cover[i]];
    if (a === undefined || b === undefined || a.length !== b.length || commonLength(a, b) !== a.length - 1) return;
    cover.splice(i - 1, 2, makePrefix(a.address, a.length - 1));
  }
}

function common(cover: readonly Prefix[], i: number): number {
  const [a, b] = [cover[i - 1], cover[i]];
  return a === undefined || b === undefined ? -1 : commonLength(a, b);
}

/** Bits that both begin with. */
function commonLength(a: Prefix, b: Prefix): number {
  const [left, right] = [ipBytes(a.address), ipBytes(b.address)];
  let bits = 0;
  for (let i = 0; i < left.length; i++) {
    const differs = (left[i] ?? 0) ^ (right[i] ?? 0);
    bits += differs === 0 ? 8 : Math.clz32(differs) - 24;
    if (differs !== 0) break;
  }
  return Math.min(bits, a.length, b.length);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const order = (a[i] ?? 0) - (b[i] ?? 0);
    if (order !== 0) return order;
  }
  return 0;
}
