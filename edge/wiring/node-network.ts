import type { Clock, Timer } from "../../src/base/clock.ts";
import { milliseconds, minutes } from "../../src/base/duration.ts";
import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { Ip, Prefix } from "../../src/base/ip.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import { readConntrackUse } from "../../src/linux/conntrack.ts";
import { watchLinks } from "../../src/linux/link-events.ts";
import { readNeighbourOverflows } from "../../src/linux/neighbour-overflows.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { type NodeLinks, observeNodeLinks } from "../../src/linux/node-links.ts";
import { ServiceLink, type ServiceLinkState } from "../../src/linux/service-link.ts";
import { type Inside, isInside } from "../../src/network/inside.ts";
import { judgeConntrackUse } from "./conntrack-use.ts";
import { NeighbourUse } from "./neighbour-use.ts";

export interface NodeNetworkOptions {
  readonly linkName: string;
  /** Networks that count as inside by configuration. */
  readonly inside: readonly Prefix[];
  readonly health: Health;
  readonly log: Log;
  readonly clock: Clock;
}

/** A pod's start moves three links: one look serves them all. */
const GATHER = milliseconds(200);
/** For what no event tells. */
const LOOK_EVERY = minutes(1);

/**
 * The links of this node as capabilities need them: the link that holds our addresses, and who counts as inside. It
 * looks again whenever a link or an address changes, and puts the link right when another program broke it.
 */
export class NodeNetwork {
  readonly #options: NodeNetworkOptions;
  readonly #route = new NetlinkSocket(NETLINK_ROUTE);
  readonly #link: ServiceLink;
  readonly #neighbours: NeighbourUse;
  readonly #held = new Map<string, ReadonlySet<Ip>>();
  #linkName: string;
  #links: NodeLinks = { ownAddresses: [], podNetworks: [], unfilteredBridges: [] };
  #podCidrs: readonly Prefix[] = [];
  #timer: Timer | undefined;
  #soon = false;
  #onChange: () => void = () => {};

  constructor(options: NodeNetworkOptions, scope: Scope) {
    this.#options = options;
    this.#linkName = options.linkName;
    this.#link = new ServiceLink(this.#route, options.linkName);
    this.#neighbours = new NeighbourUse(options.health, options.clock);
    scope.onClose("node network", () => {
      this.#timer?.cancel();
      this.#route.close();
    });
    this.#look();
  }

  /** @param onChange after every look that saw something new */
  async watch(onChange: () => void, scope: Scope): Promise<void> {
    this.#onChange = onChange;
    const { log } = this.#options;
    const unseen = (error: unknown) =>
      log.warn("links.watch", "Changes of links are seen only by looking.", { code: errorCode(error) });
    this.#schedule(false);
    try {
      const events = await watchLinks(() => this.#schedule(true), unseen);
      scope.onClose("link events", () => events.close());
    } catch (error) {
      unseen(error);
    }
  }

  /** Makes this node answer on the addresses. What stands in the way is a condition, and is tried again. */
  hold(owner: string, addresses: ReadonlySet<Ip>): void {
    this.#held.set(owner, addresses);
    this.#attempt(() => this.#link.apply(owner, addresses));
  }

  /** The link that has our addresses, and those that are of use to all: DNS's, not the services'. */
  link(): { readonly name: string; readonly addresses: readonly Ip[] } {
    return { name: this.#linkName, addresses: [...(this.#held.get("dns") ?? [])] };
  }

  setPodCidrs(podCidrs: readonly Prefix[]): void {
    this.#podCidrs = podCidrs;
    this.#onChange();
  }

  /** This node itself, its pods, and what the configuration says. */
  inside(): Inside {
    const { ownAddresses, podNetworks } = this.#links;
    return {
      // Those of the link are its own already, and seen there only by the next look.
      addresses: [...ownAddresses, ...this.link().addresses],
      networks: [...podNetworks, ...this.#podCidrs, ...this.#options.inside],
    };
  }

  isInside(client: Ip): boolean {
    return isInside(this.inside(), client) || (this.#held.get("services")?.has(client) ?? false);
  }

  #schedule(soon: boolean): void {
    if (soon && this.#timer !== undefined && this.#soon) return;
    this.#timer?.cancel();
    this.#soon = soon;
    this.#timer = this.#options.clock.after(soon ? GATHER : LOOK_EVERY, () => {
      if (this.#look()) this.#onChange();
      this.#schedule(false);
    });
  }

  /** @returns whether anything is new: an address that was put back took routes along when it went */
  #look(): boolean {
    const repaired = this.#attempt(() => this.#link.repair());
    const before = JSON.stringify(this.#links);
    try {
      this.#links = observeNodeLinks(this.#route);
      judgeConntrackUse(readConntrackUse(), this.#options.health);
      this.#neighbours.judge(readNeighbourOverflows());
      this.#options.health.clear("links", "LINKS_UNREADABLE");
    } catch (error) {
      this.#options.health.raise({
        code: "LINKS_UNREADABLE",
        component: "links",
        severity: "degraded",
        message: `Cannot see this node's links: ${errorText(error)}`,
        hint: "DNS answers only configured networks until this works: see the agent's log for the kernel's answer.",
      });
    }
    return repaired || JSON.stringify(this.#links) !== before;
  }

  /** @returns whether the link was changed */
  #attempt(apply: () => ServiceLinkState): boolean {
    if (this.#held.size === 0) return false;
    const { health, linkName } = this.#options;
    try {
      const { link, writes } = apply();
      this.#linkName = link;
      health.clear("links", "SERVICE_LINK_FAILED");
      return writes > 0;
    } catch (error) {
      health.raise({
        code: "SERVICE_LINK_FAILED",
        component: "links",
        severity: "degraded",
        message: `Cannot hold our addresses on link "${linkName}": ${errorText(error)}`,
        hint:
          (error instanceof SelvedgeError ? error.hint : undefined) ??
          "The agent needs CAP_NET_ADMIN to make a link: run it as root or by its unit.",
      });
      return false;
    }
  }
}
