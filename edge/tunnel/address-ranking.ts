/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998): each node ranks the addresses of a pool in an order of its own, so
 * that nodes spread over it without talking, and when one address goes, only its nodes move, to all the others alike.
 *
 * @param node its name, the same at every start
 * @returns the addresses, the one to take first in front; two of the same count once
 */
export function rankAddresses(node: string, addresses: readonly string[]): readonly string[] {
  const weights = new Map(addresses.map((address) => [address, hash(`${node}\0${address}`)]));
  return [...weights].sort(([a, left], [b, right]) => right - left || (a < b ? -1 : 1)).map(([address]) => address);
}

/** FNV-1a, and MurmurHash3's finalizer, without which names that differ in the last letter rank alike. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
