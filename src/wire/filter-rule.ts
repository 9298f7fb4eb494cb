import { type Family, ipFromBytes, type Prefix } from "../base/ip.ts";
import type { Verdict } from "./nftables-expression.ts";

/** A rule of somebody's packet filter, nftables or the older one, as far as it says which packets it is for. */
export interface FilterRule {
  /** A packet has to meet all of them. */
  readonly conditions: readonly FilterCondition[];
  /** Undefined: the packet goes on to the next rule. */
  readonly verdict: FilterVerdict | undefined;
}

export type FilterCondition =
  | {
      readonly kind: "link";
      readonly end: "in" | "out";
      readonly name: string;
      /** The name only begins so. */
      readonly wildcard: boolean;
      readonly inverted: boolean;
    }
  | {
      readonly kind: "address";
      readonly end: "source" | "destination";
      readonly prefix: Prefix;
      readonly inverted: boolean;
    }
  | { readonly kind: "family"; readonly family: Family; readonly inverted: boolean }
  /** Ports, connection states, marks, sets: which packets meet it is not known here. */
  | { readonly kind: "unclear" };

/** "drop" is to refuse with an answer, too; "unclear" is another program's, or of a map. */
export type FilterVerdict = Verdict | { readonly kind: "unclear" };

const TEXT = new TextDecoder();

export const UNCLEAR: FilterCondition = { kind: "unclear" };

/** Extensions of iptables, by their names in linux/netfilter/x_tables.h's structures, after which a packet goes on. */
const NOTING_TARGETS: ReadonlySet<string> = new Set(["LOG", "NFLOG", "AUDIT", "MARK", "CONNMARK", "TCPMSS"]);
const REFUSING_TARGETS: ReadonlySet<string> = new Set(["REJECT", "DROP"]);

/** What becomes of a packet by an extension of iptables that a rule ends in. */
export function verdictOfTarget(name: string): FilterVerdict | undefined {
  if (REFUSING_TARGETS.has(name)) return { kind: "drop" };
  return NOTING_TARGETS.has(name) ? undefined : { kind: "unclear" };
}

/** What an extension of iptables asks of packets. */
export function conditionsOfMatch(name: string): readonly FilterCondition[] {
  return name === "comment" ? [] : [UNCLEAR];
}

/**
 * @param address 4 or 16 bytes
 * @param mask as many
 * @returns undefined where the mask is none of a prefix, or the address has bits beyond it, which no packet meets
 */
export function prefixOfMask(address: Uint8Array, mask: Uint8Array): Prefix | undefined {
  let length = 0;
  for (const [i, byte] of mask.entries()) {
    // clz32() counts in 32 bits, of which the byte is the last eight.
    const ones = Math.clz32(~byte & 0xff) - 24;
    const isWhole = byte === ((0xff00 >> ones) & 0xff);
    if (!isWhole || (ones > 0 && length < 8 * i) || ((address[i] ?? 0) & ~byte) !== 0) return undefined;
    length += ones;
  }
  return { address: ipFromBytes(address), length };
}

/** @param bytes IFNAMSIZ of them at most; without a NUL the name only has to begin so */
export function linkNamed(end: "in" | "out", bytes: Uint8Array, inverted: boolean): FilterCondition {
  return { kind: "link", end, name: untilNul(bytes), wildcard: !bytes.includes(0), inverted };
}

/** Up to the first NUL, or all of it. */
export function untilNul(bytes: Uint8Array): string {
  const nul = bytes.indexOf(0);
  return TEXT.decode(nul < 0 ? bytes : bytes.subarray(0, nul));
}
