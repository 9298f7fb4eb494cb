import { type Ip, ipFamily, ipFromBytes, type Prefix } from "../../src/base/ip.ts";
import { fnv1a } from "./fnv.ts";
import { type PrefixClaims, startOf } from "./prefix-claims.ts";
import type { EdgePool } from "./settings.ts";

/**
 * A free part of a pool for a node, or undefined when there is none. It begins to look at a place that the node's name
 * decides, so that a node which lost its part is likely to get the same one again.
 */
export function planSubnet(pool: EdgePool, node: string, claims: PrefixClaims): Prefix | undefined {
  const { cidr, blockLength } = pool;
  const bits = ipFamily(cidr.address) === 4 ? 32 : 128;
  const blocks = 1n << BigInt(blockLength - cidr.length);
  const size = 1n << BigInt(bits - blockLength);
  const first = startOf(cidr);
  const begin = BigInt(fnv1a(node)) % blocks;
  let tried = 0n;
  while (tried < blocks) {
    const index = (begin + tried) % blocks;
    const subnet = { address: addressAt(first + index * size, bits), length: blockLength };
    const taken = claims.overlapping(subnet);
    if (taken === undefined) return subnet;
    // What is taken may be wider than a part: go on behind it, or behind the pool's end.
    const end = startOf(taken) + (1n << BigInt(bits - taken.length));
    const next = taken.length < blockLength ? minimum((end - first) / size, blocks) : index + 1n;
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
