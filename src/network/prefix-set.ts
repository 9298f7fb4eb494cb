import { type Family, formatPrefix, ipFamily, makePrefix, type Prefix } from "../base/ip.ts";

/** Answers which of many prefixes contain another one, by one look for each length that there is. */
export class PrefixSet {
  readonly #texts: ReadonlySet<string>;
  readonly #lengths: Readonly<Record<Family, readonly number[]>>;

  constructor(prefixes: readonly Prefix[]) {
    this.#texts = new Set(prefixes.map(formatPrefix));
    const lengths = (family: Family) =>
      [...new Set(prefixes.filter((p) => ipFamily(p.address) === family).map((p) => p.length))].sort((a, b) => a - b);
    this.#lengths = { 4: lengths(4), 6: lengths(6) };
  }

  /** Those that have all of it inside, as texts, the widest first; the prefix itself may be among them. */
  around({ address, length }: Prefix): readonly string[] {
    return this.#lengths[ipFamily(address)]
      .filter((outer) => outer <= length)
      .map((outer) => formatPrefix(makePrefix(address, outer)))
      .filter((text) => this.#texts.has(text));
  }

  /** Whether one of them has all of it inside, be it itself. */
  covers(prefix: Prefix): boolean {
    return this.around(prefix).length > 0;
  }
}
