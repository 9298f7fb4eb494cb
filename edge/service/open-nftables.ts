import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import { type Family, type Ip, ipFromBytes, makePrefix, type Prefix } from "../../src/base/ip.ts";
import type { Log } from "../../src/base/log.ts";
import { deleteConntrack, IPPROTO_UDP, listConntrack } from "../../src/linux/conntrack.ts";
import type { NetlinkEvents } from "../../src/linux/netlink-events.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { observeNodeLinks } from "../../src/linux/node-links.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import { NftBatch } from "../../src/wire/nftables-batch.ts";
import { countedPackets } from "../../src/wire/nftables-counter.ts";
import type { ServiceApplier } from "./applier.ts";
import { FallbackTable, removeFallbackTable } from "./fallback-table.ts";
import type { Frontend } from "./frontend.ts";
import { NftablesApplier } from "./nftables-applier.ts";
import { TABLE } from "./ruleset.ts";
import { planLayout, type RulesetSettings, replaceTable, settingElements } from "./ruleset-batch.ts";
import { DNS_QUERY_CHAIN } from "./ruleset-dns.ts";
import type { VanishedBackend } from "./ruleset-model.ts";
import type { ServiceMetrics } from "./service-metrics.ts";
import { familiesOfUdp, planStaleConnections } from "./stale-connections.ts";

export interface NftablesModeOptions {
  /** The link that has the addresses of this node's own services, such as names. */
  readonly link: () => { readonly name: string; readonly addresses: readonly Ip[] };
  readonly clusterCidrs: readonly Prefix[];
  readonly dnsPort: number;
  readonly metrics: ServiceMetrics;
  readonly log: Log;
  readonly health: Health;
  /** Milliseconds that never jump. */
  readonly now: () => number;
}

/**
 * Services in nftables, with the routes for a node without a default route, and with stale connections ended.
 *
 * @param resync asks for one: somebody else changed our tables
 * @throws SelvedgeError that is not to be retried when this kernel cannot do it
 */
export async function openNftables(options: NftablesModeOptions, resync: () => void): Promise<ServiceApplier> {
  const nft = new Nftables();
  try {
    return new NftablesMode(nft, probeRuleset(nft, options.log), options, resync);
  } catch (error) {
    nft.close();
    throw error;
  }
}

class NftablesMode implements ServiceApplier {
  readonly #accepted: AcceptedRuleset;
  readonly #options: NftablesModeOptions;
  readonly #resync: () => void;
  readonly #nft: Nftables;
  readonly #netfilter = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #route = new NetlinkSocket(NETLINK_ROUTE);
  readonly #fallback: FallbackTable;
  readonly #ruleset: NftablesApplier;
  #events: NetlinkEvents | undefined;

  constructor(nft: Nftables, accepted: AcceptedRuleset, options: NftablesModeOptions, resync: () => void) {
    const { families } = accepted;
    this.#accepted = accepted;
    this.#options = options;
    this.#resync = resync;
    this.#nft = nft;
    this.#fallback = new FallbackTable(this.#route, families, options.link);
    this.#ruleset = new NftablesApplier(nft, {
      families,
      settings: () => this.#settings(),
      onChanged: (changed, vanished) => this.#endStaleConnections(changed, vanished),
      onCommit: (elapsedSeconds) => options.metrics.applied(elapsedSeconds),
      now: options.now,
      onLargeCommit: () => this.#stopListening(),
    });
    options.metrics.watchDnsDrops(() => this.#dnsDrops(families));
  }

  async apply(changes: ReadonlyMap<ObjectKey, readonly Frontend[]>): Promise<void> {
    this.#fallback.want(changes);
    await this.#ruleset.apply(changes);
    this.#routing(() => this.#fallback.sync());
    await this.#listen();
  }

  async resync(): Promise<void> {
    await this.#ruleset.resync();
    this.#routing(() => this.#fallback.resync());
    await this.#listen();
  }

  async close(): Promise<void> {
    this.#stopListening();
    await this.#ruleset.close();
    this.#netfilter.close();
    this.#route.close();
  }

  /** Not before the first load, and not during another large one: see NftablesApplier. */
  async #listen(): Promise<void> {
    if (this.#events !== undefined) return;
    this.#events = await this.#nft.watch(TABLE, this.#resync, (error) => {
      this.#options.log.warn("service.watch", "Changes by other programs are seen only by looking.", {
        code: errorCode(error),
        table: TABLE,
      });
    });
    // What happened while nobody listened shows in the generation.
    await this.#ruleset.resync();
  }

  /** Only programs of a node without a default route need the routes: the services do not fail for them. */
  #routing(change: () => void): void {
    const { health } = this.#options;
    try {
      change();
      health.clear("service", "SERVICE_ROUTES_MISSING");
    } catch (error) {
      health.raise({
        code: "SERVICE_ROUTES_MISSING",
        component: "service",
        severity: "degraded",
        message: `Cannot route to services on a node without a default route: ${errorText(error)}`,
        hint: "Pods are not affected. Programs of the node itself are, unless it has a default route.",
      });
    }
  }

  #stopListening(): void {
    this.#events?.close();
    this.#events = undefined;
  }

  #settings(): RulesetSettings {
    const { link, clusterCidrs, dnsPort } = this.#options;
    const { name, addresses } = link();
    const bridges = observeNodeLinks(this.#route).unfilteredBridges;
    return {
      linkName: name,
      linkAddresses: addresses,
      clusterCidrs,
      dnsPort,
      dnsLimited: this.#accepted.dnsLimited,
      bridges: [...bridges].sort((a, b) => a - b),
    };
  }

  /** Some ten microseconds for a family. */
  #dnsDrops(families: readonly Family[]): number | readonly [] {
    try {
      const rules = families.flatMap((family) => this.#nft.rules(family, TABLE, DNS_QUERY_CHAIN));
      return rules.reduce((sum, rule) => sum + countedPackets(rule), 0);
    } catch {
      return [];
    }
  }

  /** A kernel that cannot list connections keeps UDP clients where they were: worth a line, not worth the services. */
  #endStaleConnections(changed: readonly Frontend[], vanished: readonly VanishedBackend[]): void {
    try {
      for (const family of familiesOfUdp(changed, vanished)) {
        const isUdp = (frontend: Frontend) => frontend.protocol === "UDP" && frontend.family === family;
        const stale = planStaleConnections(
          listConntrack(this.#netfilter, family, IPPROTO_UDP),
          changed.filter(isUdp),
          vanished.filter((v) => isUdp(v.frontend)),
        );
        if (stale.length > 0) deleteConntrack(this.#netfilter, stale);
      }
    } catch (error) {
      this.#options.log.warn("service.conntrack", "UDP clients may stay with an endpoint that is gone.", {
        code: errorCode(error),
      });
    }
  }
}

/** What of the ruleset this kernel takes. */
export interface AcceptedRuleset {
  /** IPv4, and IPv6 unless the kernel is built without. */
  readonly families: readonly Family[];
  readonly dnsLimited: boolean;
}

/**
 * Whether this kernel takes the whole ruleset, to the last expression: it is made and deleted in one transaction,
 * under a name of its own, so nothing ever shows or sees a packet.
 *
 * @throws SelvedgeError NFT_INCOMPLETE; or an errno's name for what may pass
 */
export function probeRuleset(nft: Nftables, log: Log): AcceptedRuleset {
  const dnsLimited = takesLimits(nft, log);
  try {
    tryRuleset(nft, 6, dnsLimited);
    return { families: [4, 6], dnsLimited };
  } catch (error) {
    log.warn("service.ipv6", "Services have no IPv6 here: the kernel refuses it.", { code: errorCode(error) });
    return { families: [4], dnsLimited };
  }
}

/** Tries IPv4, without the limits if need be: services in user space for want of them would be the worse bargain. */
function takesLimits(nft: Nftables, log: Log): boolean {
  try {
    tryRuleset(nft, 4, true);
    return true;
  } catch (error) {
    if (["EPERM", "ENOBUFS", "ENOMEM"].includes(errorCode(error))) throw error;
  }
  try {
    tryRuleset(nft, 4, false);
    log.warn("service.dns_limit", "No client of DNS is held to its share: the kernel has no nft_limit.");
    return false;
  } catch (error) {
    if (["EPERM", "ENOBUFS", "ENOMEM"].includes(errorCode(error))) throw error;
    throw new SelvedgeError("Cannot carry services in nftables as this kernel refuses a part of the ruleset", {
      code: "NFT_INCOMPLETE",
      blame: "host",
      retry: "never",
      hint: "Linux 5.10 or later with nft_nat, nft_masq, nft_fib_inet, nft_numgen, nft_ct, nft_reject_inet has all of it.",
      cause: error,
    });
  }
}

function tryRuleset(nft: Nftables, family: Family, dnsLimited: boolean): void {
  const table = `${TABLE}-probe`;
  const settings: RulesetSettings = {
    linkName: "lo",
    linkAddresses: [],
    clusterCidrs: [makePrefix(ipFromBytes(new Uint8Array(family === 4 ? 4 : 16)), 0)],
    dnsPort: 53,
    dnsLimited,
    bridges: [1],
  };
  const batch = new NftBatch();
  batch.begin();
  const chains = ["lb-2-affinity", "local-2", "remember-1", "node-lb-2-affinity", "node-remember-1"];
  replaceTable(batch, planLayout(family, settings), chains, settingElements(family, settings), table);
  batch.deleteTable(family, table);
  nft.commit(`try the ruleset for IPv${family}${dnsLimited ? "" : " without limits"}`, batch);
}

/**
 * Removes exactly what is ours, whether an agent runs or not. For `selvedge cleanup`.
 *
 * @param dryRun only look
 * @returns what was removed, or would be, for a person
 */
export function removeRuleset(dryRun: boolean): readonly string[] {
  const removed: string[] = [];
  const route = new NetlinkSocket(NETLINK_ROUTE);
  try {
    removed.push(...removeTables(dryRun), ...removeFallbackTable(route, dryRun));
  } finally {
    route.close();
  }
  return removed;
}

/** Whether an earlier run left services in the kernel. Where we may not look, we can change nothing either. */
export function hasRuleset(): boolean {
  try {
    return removeTables(true).length > 0;
  } catch {
    return false;
  }
}

function removeTables(dryRun: boolean): readonly string[] {
  let nft: Nftables;
  try {
    nft = new Nftables();
  } catch (error) {
    // A kernel without nftables has no tables of ours.
    if (errorCode(error) === "NFT_MISSING") return [];
    throw error;
  }
  try {
    const batch = new NftBatch();
    batch.begin();
    const removed: string[] = [];
    for (const { family, name } of nft.tables()) {
      if ((family !== 4 && family !== 6) || name !== TABLE) continue;
      batch.deleteTable(family, name);
      removed.push(`nftables table ${family === 4 ? "ip" : "ip6"} ${name}`);
    }
    if (!dryRun) nft.commit("remove our tables", batch);
    return removed;
  } finally {
    nft.close();
  }
}
