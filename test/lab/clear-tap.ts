import type { Host } from "./host.ts";

const TABLE = "tap";
/** More pairs of addresses than any test has. */
const PAIRS_MAX = 1024;

/**
 * Notes what a router sees of the fabric's inside: packets from or to its pods that nobody has encrypted, and, so that
 * a tap that sees nothing at all is told from one that sees nothing wrong, those of the tunnels themselves.
 */
export class ClearTap {
  readonly #router: Host;

  /** @param pods the networks of all pods, IPv4 and IPv6 */
  static async start(router: Host, pods: { readonly ipv4: string; readonly ipv6: string }): Promise<ClearTap> {
    const rules = [
      ...["saddr", "daddr"].map((which) => `ip ${which} ${pods.ipv4} update @clear4 { ip saddr . ip daddr }`),
      ...["saddr", "daddr"].map((which) => `ip6 ${which} ${pods.ipv6} update @clear6 { ip6 saddr . ip6 daddr }`),
    ];
    await router.output(["nft", "-f", "-"], {
      input: `table inet ${TABLE} {
        set clear4 { type ipv4_addr . ipv4_addr; flags dynamic; size ${PAIRS_MAX}; }
        set clear6 { type ipv6_addr . ipv6_addr; flags dynamic; size ${PAIRS_MAX}; }
        counter tunnel { }
        chain seen {
          type filter hook prerouting priority -400;
          ${rules.join("\n          ")}
          udp dport 4500 counter name tunnel
        }
      }`,
    });
    return new ClearTap(router);
  }

  private constructor(router: Host) {
    this.#router = router;
  }

  /** @returns each pair of source and destination, "10.0.0.1 . 10.0.0.2", that was seen in clear since the start */
  async clear(): Promise<readonly string[]> {
    const sets = await Promise.all(["clear4", "clear6"].map((set) => this.#list("set", set)));
    return sets.flatMap(
      (text) =>
        /elements = \{([^}]*)\}/
          .exec(text)?.[1]
          ?.split(",")
          .map((pair) => pair.trim()) ?? [],
    );
  }

  /** What was seen in clear until now is no longer told. */
  async forget(): Promise<void> {
    for (const set of ["clear4", "clear6"]) await this.#router.output(["nft", "flush", "set", "inet", TABLE, set]);
  }

  /** @returns packets of tunnels since the start */
  async tunnelPackets(): Promise<number> {
    return Number(/packets (\d+)/.exec(await this.#list("counter", "tunnel"))?.[1]);
  }

  #list(kind: "set" | "counter", name: string): Promise<string> {
    return this.#router.output(["nft", "list", kind, "inet", TABLE, name]);
  }
}
