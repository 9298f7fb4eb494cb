import { type Ip, ipFromBytes, parseIp } from "../../src/base/ip.ts";

/** Clients of a node are its pods and itself; a forged flood cannot make it more. */
const MAX_REMEMBERED = 4096;

/** Who may ask. Verdicts are remembered, so that the predicate may be slow. */
export class ClientFilter {
  readonly #allowed: (client: Ip) => boolean;
  /** Of addresses as text, and of IPv4's as numbers. */
  readonly #verdicts = new Map<string | number, boolean>();

  constructor(allowed: (client: Ip) => boolean) {
    this.#allowed = allowed;
  }

  /** @param text as the system gives it: with a zone, or an IPv4 address mapped into IPv6 */
  allows(text: string): boolean {
    const known = this.#verdicts.get(text);
    if (known !== undefined) return known;
    const client = parseIp(text.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/, ""));
    return this.#remember(text, client.ok && this.#allowed(client.value));
  }

  /** @param address of IPv4, as its 32 bits: nothing is made to find a verdict that is known */
  allowsIpv4(address: number): boolean {
    const known = this.#verdicts.get(address);
    if (known !== undefined) return known;
    const bytes = Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address);
    return this.#remember(address, this.#allowed(ipFromBytes(bytes)));
  }

  /** What is allowed has changed. */
  forget(): void {
    this.#verdicts.clear();
  }

  #remember(client: string | number, verdict: boolean): boolean {
    if (this.#verdicts.size >= MAX_REMEMBERED) this.#verdicts.clear();
    this.#verdicts.set(client, verdict);
    return verdict;
  }
}
