import {
  type Family,
  formatPrefix,
  type Ip,
  ipBytes,
  ipFamily,
  ipFromBytes,
  makePrefix,
  type Prefix,
} from "../base/ip.ts";
import { elementId, type SetElement } from "./nftables-element.ts";

/** Without those inside another one, as a kernel set refuses ranges that overlap. */
export function outermost(prefixes: readonly Prefix[], family: Family): readonly Prefix[] {
  const own = prefixes.filter((p) => ipFamily(p.address) === family).sort((a, b) => a.length - b.length);
  const kept = new Map<string, Prefix>();
  const lengths = new Set<number>();
  for (const prefix of own) {
    const inside = [...lengths].some((length) => kept.has(formatPrefix(makePrefix(prefix.address, length))));
    if (inside) continue;
    kept.set(formatPrefix(prefix), prefix);
    lengths.add(prefix.length);
  }
  return [...kept.values()];
}

/** A range in a set of one field: where it begins, and the first address after it, if there is one. */
export function rangeElements(prefix: Prefix): readonly SetElement[] {
  const start: SetElement = { key: [prefix.address] };
  const bytes = ipBytes(lastAddress(prefix));
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = ((bytes[i] ?? 0) + 1) & 0xff;
    if (bytes[i] !== 0) return [start, { key: [ipFromBytes(bytes)], ends: true }];
  }
  return [start];
}

export function lastAddress(prefix: Prefix): Ip {
  const bytes = ipBytes(prefix.address);
  for (let i = 0; i < bytes.length; i++) {
    const host = 8 - Math.min(8, Math.max(0, prefix.length - 8 * i));
    bytes[i] = (bytes[i] ?? 0) | ((1 << host) - 1);
  }
  return ipFromBytes(bytes);
}

/** The prefixes of one family as elements of a set of ranges. */
export function prefixElements(prefixes: readonly Prefix[], family: Family): readonly SetElement[] {
  return outermost(prefixes, family).flatMap(rangeElements);
}

/**
 * What has to come and go together: in a set of ranges with one field, the address where a range begins and the one
 * where it ends, which the kernel knows as two elements; anywhere else each element by itself.
 *
 * @param elements in any order, as the kernel lists them in its own
 * @returns by a key that is the same for the same range
 */
export function elementUnits(
  elements: readonly SetElement[],
  ranges: boolean,
): ReadonlyMap<string, readonly SetElement[]> {
  const units = new Map<string, readonly SetElement[]>();
  if (!ranges) for (const element of elements) units.set(elementId(element), [element]);
  else {
    let start: SetElement | undefined;
    const close = (end?: SetElement) => {
      if (start !== undefined)
        units.set(`${elementId(start)} to ${end?.key[0]}`, end === undefined ? [start] : [start, end]);
      start = undefined;
    };
    for (const element of elements.toSorted(byPlace)) {
      close(element.ends === true ? element : undefined);
      if (element.ends !== true) start = element;
    }
    close();
  }
  return units;
}

/** By address; where one range ends and the next begins, the end first. */
function byPlace(a: SetElement, b: SetElement): number {
  const [left, right] = [place(a), place(b)];
  return left < right ? -1 : left > right ? 1 : Number(b.ends === true) - Number(a.ends === true);
}

function place({ key: [value = 0] }: SetElement): string {
  const bytes = typeof value === "number" ? [value >>> 24, value >>> 16, value >>> 8, value] : [...ipBytes(value)];
  return bytes.map((byte) => (byte & 0xff).toString(16).padStart(2, "0")).join("");
}
