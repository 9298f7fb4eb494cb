import { type Ip, ipBytes, ipFamily, type Prefix } from "../../src/base/ip.ts";

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

interface Claim {
  readonly claimant: Claimant;
  readonly prefix: Prefix;
}

/** A distinct prefix as the numbers that it begins and ends with. */
interface Span {
  readonly start: bigint;
  readonly end: bigint;
  readonly length: number;
  readonly claims: Claim[];
}

const IPV6 = 1n << 128n;

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
    const claims = prefixes.map((prefix) => ({ claimant, prefix }));
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
    for (const { claimant, prefix } of this.#claimants.get(name) ?? []) {
      const first = this.#firstOver(prefix, (other) => other.name !== name && ranksBefore(other, claimant));
      if (first !== undefined) conflicts.push({ prefix, other: first.claimant.name, otherPrefix: first.prefix });
    }
    return conflicts;
  }

  /** Any claim that overlaps the prefix, by the earliest claimant. */
  overlapping(prefix: Prefix): Prefix | undefined {
    return this.#firstOver(prefix, () => true)?.prefix;
  }

  #firstOver(prefix: Prefix, counts: (claimant: Claimant) => boolean): Claim | undefined {
    let first: Claim | undefined;
    for (const span of this.#spansOver(prefix)) {
      for (const claim of span.claims) {
        if (!counts(claim.claimant)) continue;
        if (first === undefined || ranksBefore(claim.claimant, first.claimant)) first = claim;
      }
    }
    return first;
  }

  #add(claim: Claim, touched: Set<string>): void {
    for (const span of this.#spansOver(claim.prefix)) for (const other of span.claims) touched.add(other.claimant.name);
    const lengths = this.#lengthsOf(claim.prefix);
    const start = startOf(claim.prefix);
    const before = lengths.get(start);
    if (before !== undefined) {
      before.claims.push(claim);
      return;
    }
    const { length } = claim.prefix;
    const span = { start, end: endOf(claim.prefix), length, claims: [claim] };
    lengths.set(start, span);
    this.#order.splice(this.#position(start, length), 0, span);
  }

  #remove(claim: Claim, touched: Set<string>): void {
    const lengths = this.#lengthsOf(claim.prefix);
    const start = startOf(claim.prefix);
    const span = lengths.get(start);
    if (span === undefined) return;
    span.claims.splice(span.claims.indexOf(claim), 1);
    if (span.claims.length === 0) {
      lengths.delete(start);
      if (lengths.size === 0) this.#byLength.delete(lengthKey(claim.prefix));
      this.#order.splice(this.#position(start, span.length), 1);
    }
    for (const near of this.#spansOver(claim.prefix)) for (const other of near.claims) touched.add(other.claimant.name);
  }

  *#spansOver(prefix: Prefix): Generator<Span> {
    const start = startOf(prefix);
    const end = endOf(prefix);
    const bits = bitsOf(prefix);
    for (const [key, spans] of this.#byLength) {
      const length = key - (bits === 32 ? 0 : FAMILY_STEP);
      if (length < 0 || length >= prefix.length || key >= FAMILY_STEP !== (bits === 128)) continue;
      const host = BigInt(bits - length);
      const around = spans.get((start >> host) << host);
      if (around !== undefined) yield around;
    }
    for (let i = this.#position(start, bits); i < this.#order.length; i++) {
      const inside = this.#order[i];
      if (inside === undefined || inside.start > end) return;
      // A wider span may begin at the same address: it has been found above.
      if (inside.length >= prefix.length) yield inside;
    }
  }

  #lengthsOf(prefix: Prefix): Map<bigint, Span> {
    const key = lengthKey(prefix);
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

const FAMILY_STEP = 1000;

function lengthKey(prefix: Prefix): number {
  return prefix.length + (bitsOf(prefix) === 32 ? 0 : FAMILY_STEP);
}

function ranksBefore(a: Claimant, b: Claimant): boolean {
  return a.created === b.created ? a.name < b.name : a.created < b.created;
}

function bitsOf(prefix: Prefix): number {
  return ipFamily(prefix.address) === 4 ? 32 : 128;
}

/** The address as a number, those of IPv6 after those of IPv4. */
export function startOf(prefix: Prefix): bigint {
  return addressNumber(prefix.address);
}

function endOf(prefix: Prefix): bigint {
  return startOf(prefix) + (1n << BigInt(bitsOf(prefix) - prefix.length)) - 1n;
}

function addressNumber(ip: Ip): bigint {
  const bytes = ipBytes(ip);
  let value = 0n;
  for (let i = 0; i < bytes.length; i += 4) {
    const word = (((bytes[i] ?? 0) << 24) | ((bytes[i + 1] ?? 0) << 16) | ((bytes[i + 2] ?? 0) << 8)) >>> 0;
    value = (value << 32n) | BigInt(word + (bytes[i + 3] ?? 0));
  }
  return bytes.length === 16 ? value + IPV6 : value;
}
