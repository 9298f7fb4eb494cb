import { type Ip, ipFromBytes, type Prefix } from "../../src/base/ip.ts";
import { fnv1a } from "./fnv.ts";
import { type PrefixClaims, rangeOf } from "./prefix-claims.ts";
import type { EdgePool } from "./settings.ts";

/**
 * A free part of a pool for a node, or undefined when there is none. It begins to look at a place that the node's name
 * decides, so that a node which lost its part is likely to get the same one again.
 */
export function planSubnet(pool: EdgePool, node: string, claims: PrefixClaims): Prefix | undefined {
  const { cidr, blockLength } = pool;
  const { start, bits } = rangeOf(cidr);
  const blocks = 1n << BigInt(blockLength - cidr.length);
  const size = 1n << BigInt(bits - blockLength);
  const begin = BigInt(fnv1a(node)) % blocks;
  let tried = 0n;
  while (tried < blocks) {
    const index = (begin + tried) % blocks;
    const first = start + index * size;
    const taken = claims.overlapping({ start: first, end: first + size - 1n, length: blockLength, bits });
    if (taken === undefined) return { address: addressAt(first, bits), length: blockLength };
    // What is taken may be wider than a part: go on behind it, or behind the pool's end.
    const next = taken.length < blockLength ? minimum((taken.end + 1n - start) / size, blocks) : index + 1n;
    tried += next - index;
  }
  return undefined;
}

function minimum(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function addressAt(number: bigint, bits: number): Ip {
  const bytes = new Uint8Array(bits / 8);
  let rest = number;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return ipFromBytes(bytes);
}
