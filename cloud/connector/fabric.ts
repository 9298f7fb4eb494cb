import type { SelvedgeError } from "../../src/base/errors.ts";
import { type Family, formatPrefix, type Ip, ipFamily, type Prefix } from "../../src/base/ip.ts";
import { listAddresses } from "../../src/linux/addresses.ts";
import { probeEsp } from "../../src/linux/esp-probe.ts";
import { ESP_LINK } from "../../src/linux/fabric-table.ts";
import { findDroppingForwards } from "../../src/linux/forward-policy.ts";
import { findLink } from "../../src/linux/links.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { lookUpNextHop } from "../../src/linux/next-hop.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { KeptTable } from "../../src/linux/nftables-table.ts";
import { applyRoutingRules } from "../../src/linux/routing-rules.ts";
import { RoutingTable } from "../../src/linux/routing-table.ts";
import { NODE_ROUTES_TABLE, POD_ROUTES_TABLE } from "../../src/linux/routing-table-plan.ts";
import { IKE_MARK, lookUpUplink } from "../../src/linux/uplink.ts";
import { nodePrefixes } from "../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { tunnelMtu } from "../../src/network/tunnel-mtu.ts";
import type { Reach, ReachPlan, Way } from "./reach-plan.ts";
import { type Hop, planConnectorRoutes } from "./route-plan.ts";
import { type FabricSets, planConnectorElements, planConnectorTable } from "./ruleset.ts";

/** What of the fabric this node's kernel did not take. */
export interface FabricState {
  /** Destinations whose route another program has in our tables. */
  readonly blocked: readonly string[];
  readonly failures: readonly SelvedgeError[];
  /** Other programs' chains that drop what is forwarded unless their own rules let it pass. */
  readonly dropping: readonly string[];
}

/** The kernel's side of a connector: routes in our tables, the rules that lead there, and our table of nftables. */
export class Fabric {
  readonly #route = new NetlinkSocket(NETLINK_ROUTE);
  readonly #nft = new Nftables();
  readonly #table = new KeptTable(this.#nft);
  readonly #pods = new RoutingTable(this.#route, POD_ROUTES_TABLE);
  readonly #nodes = new RoutingTable(this.#route, NODE_ROUTES_TABLE);

  get route(): NetlinkSocket {
    return this.#route;
  }

  /**
   * @param addresses of this node, as the cluster knows it
   * @throws SelvedgeError with an errno's name when the kernel cannot be read, or refuses the table of nftables
   */
  apply(reach: ReachPlan, own: TunnelEndpoint, addresses: readonly Ip[]): FabricState {
    const here = new Set(([4, 6] as const).flatMap((family) => listAddresses(this.#route, family)).map(addressOf));
    // The kernel takes no other for a source.
    const nodeAddresses = addresses.filter((address) => here.has(address));
    const ends = [...reach.pods, ...reach.nodes].flatMap(({ way }) => (way.kind === "tunnel" ? [way.remoteHost] : []));
    const plan = planConnectorRoutes(reach, own, nodeAddresses, [...new Set(ends)], this.#hops());
    const pods = this.#pods.apply(plan.podRoutes);
    const nodes = this.#nodes.apply(plan.nodeRoutes);
    applyRoutingRules(this.#route, plan.rules, [POD_ROUTES_TABLE, NODE_ROUTES_TABLE]);
    this.#table.keep(planConnectorTable(nodeAddresses), planConnectorElements(setsOf(reach, own)));
    return {
      blocked: [...pods.blocked, ...nodes.blocked].map(({ destination }) => formatPrefix(destination)),
      failures: [...pods.failures, ...nodes.failures].map(({ error }) => error),
      dropping: findDroppingForwards(this.#nft),
    };
  }

  /** Whether there is ESP: the kernel's, or charon's own. */
  get hasEsp(): boolean {
    return findLink(this.#route, ESP_LINK) !== undefined || probeEsp();
  }

  close(): void {
    this.#route.close();
    this.#nft.close();
  }

  /** Each way is looked up once: many edges are behind one address, or held by one connector. */
  #hops(): (way: Way, family: Family) => Hop | undefined {
    const known = new Map<string, Hop | undefined>();
    return (way, family) => {
      const key = `${keyOf(way)} ${family}`;
      if (!known.has(key)) known.set(key, this.#hop(way, family));
      return known.get(key);
    };
  }

  #hop(way: Way, family: Family): Hop | undefined {
    if (way.kind === "none") return undefined;
    if (way.kind === "connector") return lookUpNextHop(this.#route, way.connector, family);
    const uplink = lookUpUplink(this.#route, way.remoteHost, IKE_MARK);
    const esp = findLink(this.#route, ESP_LINK);
    const inside = uplink && tunnelMtu(uplink.mtu, { ...way.carrier, family: ipFamily(way.remoteHost) });
    if (esp !== undefined)
      return { linkIndex: esp.index, gateway: undefined, mtu: Math.min(esp.mtu, inside ?? esp.mtu) };
    if (uplink === undefined || inside === undefined) return undefined;
    const gateway = uplink.gateway !== undefined && ipFamily(uplink.gateway) === family ? uplink.gateway : undefined;
    return { linkIndex: uplink.link.index, gateway, mtu: inside };
  }
}

function setsOf({ pods, nodes }: ReachPlan, own: TunnelEndpoint): FabricSets {
  const all = (reaches: readonly Reach[]) => reaches.map(({ destination }) => destination);
  const tunnelled = (reaches: readonly Reach[]): readonly Prefix[] =>
    reaches.filter(({ way }) => way.kind !== "connector").map(({ destination }) => destination);
  return {
    localPods: own.subnets,
    localNodes: nodePrefixes(own),
    remotePods: all(pods),
    remoteNodes: all(nodes),
    tunnelledPods: tunnelled(pods),
    tunnelledNodes: tunnelled(nodes),
  };
}

function keyOf(way: Way): string {
  if (way.kind === "connector") return `connector ${way.connector.node}`;
  return way.kind === "none" ? "none" : `tunnel ${way.remoteHost} ${JSON.stringify(way.carrier)}`;
}

function addressOf({ address }: { readonly address: Ip }): Ip {
  return address;
}
