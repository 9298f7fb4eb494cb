import { ipBytes, type Prefix } from "../../src/base/ip.ts";

/** Who claims a prefix; of claims that overlap, the smallest rank has it. */
export interface Claimant {
  readonly name: string;
  /** When the object was made; equal ones are ranked by name. */
  readonly created: string;
}

export interface Conflict {
  readonly prefix: Prefix;
  /** Whose claim came first. */
  readonly other: string;
  readonly otherPrefix: Prefix;
}

/** A prefix as the numbers that it begins and ends with, those of IPv6 after those of IPv4. */
export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
  /** Of the prefix. */
  readonly length: number;
  readonly bits: 32 | 128;
}

interface Claim {
  readonly claimant: Claimant;
  readonly prefix: Prefix;
  readonly range: AddressRange;
}

/** A distinct prefix that is claimed. */
interface Span extends AddressRange {
  readonly claims: Claim[];
}

/**
 * Who claims which prefix, and who came first. Two prefixes overlap only when one contains the other: those inside a
 * prefix are neighbours in the order of addresses, those around it are looked up by the lengths in use.
 */
export class PrefixClaims {
  readonly #claimants = new Map<string, readonly Claim[]>();
  /** By start, then longest first. */
  readonly #order: Span[] = [];
  /** By family and length: the spans by start. */
  readonly #byLength = new Map<number, Map<bigint, Span>>();

  /** @returns the names of those whose conflicts may be others now, `claimant` not among them */
  set(claimant: Claimant, prefixes: readonly Prefix[]): ReadonlySet<string> {
    const touched = new Set<string>();
    for (const claim of this.#claimants.get(claimant.name) ?? []) this.#remove(claim, touched);
    const claims = prefixes.map((prefix) => ({ claimant, prefix, range: rangeOf(prefix) }));
    if (claims.length === 0) this.#claimants.delete(claimant.name);
    else this.#claimants.set(claimant.name, claims);
    for (const claim of claims) this.#add(claim, touched);
    touched.delete(claimant.name);
    return touched;
  }

  claimsOf(name: string): readonly Prefix[] {
    return (this.#claimants.get(name) ?? []).map((claim) => claim.prefix);
  }

  /** For each prefix that somebody claimed before: the first of them. */
  conflictsOf(name: string): readonly Conflict[] {
    const conflicts: Conflict[] = [];
    for (const { claimant, prefix, range } of this.#claimants.get(name) ?? []) {
      const first = this.#firstOver(range, (other) => other.name !== name && ranksBefore(other, claimant));
      if (first !== undefined) conflicts.push({ prefix, other: first.claimant.name, otherPrefix: first.prefix });
    }
    return conflicts;
  }

  /** Something claimed that overlaps the range. */
  overlapping(range: AddressRange): AddressRange | undefined {
    for (const span of this.#spansOver(range)) return span;
    return undefined;
  }

  #firstOver(range: AddressRange, counts: (claimant: Claimant) => boolean): Claim | undefined {
    let first: Claim | undefined;
    for (const span of this.#spansOver(range)) {
      for (const claim of span.claims) {
        if (!counts(claim.claimant)) continue;
        if (first === undefined || ranksBefore(claim.claimant, first.claimant)) first = claim;
      }
    }
    return first;
  }

  #add(claim: Claim, touched: Set<string>): void {
    const { range } = claim;
    for (const span of this.#spansOver(range)) for (const other of span.claims) touched.add(other.claimant.name);
    const spans = this.#spansOfLength(range);
    const before = spans.get(range.start);
    if (before !== undefined) {
      before.claims.push(claim);
      return;
    }
    const span = { ...range, claims: [claim] };
    spans.set(range.start, span);
    this.#order.splice(this.#position(range.start, range.length), 0, span);
  }

  #remove(claim: Claim, touched: Set<string>): void {
    const { range } = claim;
    const spans = this.#spansOfLength(range);
    const span = spans.get(range.start);
    if (span === undefined) return;
    span.claims.splice(span.claims.indexOf(claim), 1);
    if (span.claims.length === 0) {
      spans.delete(range.start);
      if (spans.size === 0) this.#byLength.delete(lengthKey(range));
      this.#order.splice(this.#position(range.start, range.length), 1);
    }
    for (const near of this.#spansOver(range)) for (const other of near.claims) touched.add(other.claimant.name);
  }

  *#spansOver({ start, end, length, bits }: AddressRange): Generator<Span> {
    for (const [key, spans] of this.#byLength) {
      const wider = key - (bits === 32 ? 0 : FAMILY_STEP);
      // A negative one is of IPv4 while this is of IPv6, a large one the other way round.
      if (wider < 0 || wider >= length) continue;
      const host = BigInt(bits - wider);
      const around = spans.get((start >> host) << host);
      if (around !== undefined) yield around;
    }
    for (let i = this.#position(start, bits); i < this.#order.length; i++) {
      const inside = this.#order[i];
      if (inside === undefined || inside.start > end) return;
      yield inside;
    }
  }

  #spansOfLength(range: AddressRange): Map<bigint, Span> {
    const key = lengthKey(range);
    let spans = this.#byLength.get(key);
    if (spans === undefined) {
      spans = new Map();
      this.#byLength.set(key, spans);
    }
    return spans;
  }

  /** Where a span is, or would be. */
  #position(start: bigint, length: number): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const span = this.#order[middle];
      if (span !== undefined && (span.start < start || (span.start === start && span.length > length)))
        low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** More than the longest prefix of IPv4. */
const FAMILY_STEP = 1000;

function lengthKey({ length, bits }: AddressRange): number {
  return length + (bits === 32 ? 0 : FAMILY_STEP);
}

function ranksBefore(a: Claimant, b: Claimant): boolean {
  return a.created === b.created ? a.name < b.name : a.created < b.created;
}

export function rangeOf(prefix: Prefix): AddressRange {
  const bytes = ipBytes(prefix.address);
  const bits = bytes.length === 4 ? 32 : 128;
  let start = bits === 32 ? 0n : 1n;
  for (let i = 0; i < bytes.length; i += 4) {
    const high = ((bytes[i] ?? 0) << 24) | ((bytes[i + 1] ?? 0) << 16) | ((bytes[i + 2] ?? 0) << 8);
    start = (start << 32n) | BigInt((high >>> 0) + (bytes[i + 3] ?? 0));
  }
  return { start, end: start + (1n << BigInt(bits - prefix.length)) - 1n, length: prefix.length, bits };
}
