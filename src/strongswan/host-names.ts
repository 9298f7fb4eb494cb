import { lookup } from "node:dns/promises";
import type { Clock, Timer } from "../base/clock.ts";
import { seconds } from "../base/duration.ts";
import { type Ip, ipFamily, parseIp } from "../base/ip.ts";
import type { Scope } from "../base/scope.ts";

/** Addresses of a peer that is named may change: dynamic DNS has times to live of a minute. */
const REFRESH = seconds(60);
/** A name that was never resolved keeps its tunnel from being begun. */
const RETRY = seconds(5);
/** A peer has a few; the rest would be tried after all of these have failed. */
const ADDRESSES_MAX = 8;

/** @returns its addresses @throws where there are none */
export type ResolveHost = (name: string) => Promise<readonly string[]>;

/** As the node's resolver has it: /etc/hosts and DNS. */
export const resolveHost: ResolveHost = async (name) =>
  (await lookup(name, { all: true })).map(({ address }) => address);

/**
 * Addresses of peers that are known by name. They are looked up here, because charon would hold the IKE_SA, and with it
 * everybody who lists SAs, until its resolver has given up. What was once known is kept when it cannot be looked up.
 */
export class HostNames {
  readonly #resolve: ResolveHost;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #known = new Map<string, readonly Ip[]>();
  #wanted: ReadonlySet<string> = new Set();
  readonly #asking = new Set<string>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(resolve: ResolveHost, clock: Clock, scope: Scope, onChange: () => void) {
    this.#resolve = resolve;
    this.#clock = clock;
    this.#onChange = onChange;
    scope.onClose("host names of peers", () => {
      this.#closed = true;
      this.#timer?.cancel();
    });
  }

  /** The addresses behind addresses and names, as far as they are known. */
  addresses(addressesOrNames: readonly string[]): readonly Ip[] {
    return addressesOrNames.flatMap((text) => {
      const ip = parseIp(text);
      return ip.ok ? [ip.value] : (this.#known.get(text) ?? []);
    });
  }

  /** Which names matter from now on; addresses among them are left out. */
  want(addressesOrNames: readonly string[]): void {
    this.#wanted = new Set(addressesOrNames.filter((text) => !parseIp(text).ok));
    for (const name of this.#known.keys()) if (!this.#wanted.has(name)) this.#known.delete(name);
    for (const name of this.#wanted) if (!this.#known.has(name)) void this.#look(name);
    this.#schedule();
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (this.#wanted.size === 0 || this.#closed) return;
    const isUnknown = [...this.#wanted].some((name) => !this.#known.has(name));
    this.#timer = this.#clock.after(isUnknown ? RETRY : REFRESH, () => {
      for (const name of this.#wanted) if (!isUnknown || !this.#known.has(name)) void this.#look(name);
      this.#schedule();
    });
  }

  async #look(name: string): Promise<void> {
    // A resolver may take longer than the time between two looks.
    if (this.#asking.has(name)) return;
    this.#asking.add(name);
    try {
      const found = (await this.#resolve(name)).flatMap((text) => {
        const ip = parseIp(text);
        return ip.ok ? [ip.value] : [];
      });
      const addresses = inLastingOrder(found).slice(0, ADDRESSES_MAX);
      if (this.#closed || !this.#wanted.has(name) || addresses.length === 0) return;
      const before = this.#known.get(name);
      this.#known.set(name, addresses);
      if (before?.join() !== addresses.join()) this.#onChange();
    } catch {
      // It is looked up again, and until then the last addresses count.
    } finally {
      this.#asking.delete(name);
    }
  }
}

/**
 * The family goes first that the resolver puts first, since it knows which one this node can use (RFC 6724 section 6). Within
 * one, an order that the next answer has, too: name servers turn theirs around.
 */
function inLastingOrder(addresses: readonly Ip[]): readonly Ip[] {
  const families = Map.groupBy(new Set(addresses), ipFamily);
  return [...families.values()].flatMap((own) => own.sort());
}
