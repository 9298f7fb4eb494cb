import { type Ip, ipFamily, type Prefix } from "../../src/base/ip.ts";
import { ipOfNumber, numberOfIp } from "./address-number.ts";

/** Addresses that pods of one network may get. */
export interface AddressRange {
  readonly subnet: Prefix;
  readonly first: Ip;
  /** Inclusive. */
  readonly last: Ip;
  /** The bridge's own address: no pod gets it. */
  readonly gateway: Ip;
}

/** A pod gets one address of each. */
export type RangeSet = readonly AddressRange[];

/** The whole of a subnet as host-local has it: without the network's address and, for IPv4, the broadcast one. */
export function wholeRange(subnet: Prefix): AddressRange {
  const family = ipFamily(subnet.address);
  const start = numberOfIp(subnet.address);
  const size = 1n << BigInt((family === 4 ? 32 : 128) - subnet.length);
  const first = ipOfNumber(family, start + 1n);
  return { subnet, first, last: ipOfNumber(family, start + size - (family === 4 ? 2n : 1n)), gateway: first };
}

/**
 * The next free address after the last one that was given out, so that an address rests for as long as possible
 * before another pod gets it, and what still goes to the old one meets nobody.
 *
 * @param reserved every address that somebody has
 * @param previous the last one that was given out of the set
 * @returns undefined when none is free
 */
export function planAddress(
  ranges: RangeSet,
  reserved: ReadonlySet<Ip>,
  previous: Ip | undefined,
): { readonly address: Ip; readonly range: AddressRange } | undefined {
  const start = ranges.findIndex((range) => previous !== undefined && isInRange(range, previous));
  const gateways = new Set(ranges.map((range) => range.gateway));
  const isFree = (address: Ip) => !reserved.has(address) && !gateways.has(address);
  // From behind the previous one to the end, the other ranges, and its own from the beginning.
  for (let step = 0; step <= ranges.length; step++) {
    const range = ranges[(Math.max(start, 0) + step) % ranges.length];
    if (range === undefined) return undefined;
    const family = ipFamily(range.first);
    const last = numberOfIp(range.last);
    let next = numberOfIp(step === 0 && start >= 0 && previous !== undefined ? previous : range.first);
    if (step === 0 && start >= 0) next += 1n;
    // Ends after as many steps as there are addresses in use, however large the range is.
    for (; next <= last; next += 1n) {
      const address = ipOfNumber(family, next);
      if (isFree(address)) return { address, range };
    }
  }
  return undefined;
}

export function isInRange(range: AddressRange, ip: Ip): boolean {
  if (ipFamily(range.first) !== ipFamily(ip)) return false;
  const value = numberOfIp(ip);
  return value >= numberOfIp(range.first) && value <= numberOfIp(range.last);
}
