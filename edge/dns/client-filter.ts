import { type Ip, parseIp } from "../../src/base/ip.ts";

/** Clients of a node are its pods and itself; a forged flood cannot make it more. */
const MAX_REMEMBERED = 4096;

/** Who may ask. Verdicts are remembered, so that the predicate may be slow. */
export class ClientFilter {
  readonly #allowed: (client: Ip) => boolean;
  readonly #verdicts = new Map<string, boolean>();

  constructor(allowed: (client: Ip) => boolean) {
    this.#allowed = allowed;
  }

  /** @param text as the system gives it: with a zone, or an IPv4 address mapped into IPv6 */
  allows(text: string): boolean {
    const known = this.#verdicts.get(text);
    if (known !== undefined) return known;
    const client = parseIp(text.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/, ""));
    const verdict = client.ok && this.#allowed(client.value);
    if (this.#verdicts.size >= MAX_REMEMBERED) this.#verdicts.clear();
    this.#verdicts.set(text, verdict);
    return verdict;
  }

  /** What is allowed has changed. */
  forget(): void {
    this.#verdicts.clear();
  }
}
