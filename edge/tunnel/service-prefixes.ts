import { formatPrefix, type Ip, type Prefix, prefixContains } from "../../src/base/ip.ts";

/**
 * Which of the peers' prefixes have services: a connector's has those of its cluster. Where this node translates services
 * itself, their addresses need no tunnel, and a route that leads nowhere would refuse connections before they are
 * translated. A prefix that had a service once counts for good: its other addresses are services to come.
 */
export class ServicePrefixes {
  readonly #all: () => Iterable<Ip>;
  #others: readonly Prefix[] = [];
  readonly #known = new Set<string>();

  /** @param all the addresses of all services that this node translates */
  constructor(all: () => Iterable<Ip>) {
    this.#all = all;
  }

  serves(prefix: Prefix): boolean {
    return this.#known.has(formatPrefix(prefix));
  }

  setPrefixes(prefixes: readonly Prefix[]): void {
    this.#others = prefixes.filter((prefix) => !this.serves(prefix));
    this.add(this.#all());
  }

  /** @returns whether another prefix has services now */
  add(addresses: Iterable<Ip>): boolean {
    const before = this.#known.size;
    for (const address of addresses) {
      if (this.#others.length === 0) break;
      const found = this.#others.filter((prefix) => prefixContains(prefix, address));
      if (found.length === 0) continue;
      for (const prefix of found) this.#known.add(formatPrefix(prefix));
      this.#others = this.#others.filter((prefix) => !found.includes(prefix));
    }
    return this.#known.size > before;
  }
}
