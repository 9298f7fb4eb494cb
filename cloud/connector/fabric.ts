import type { SelvedgeError } from "../../src/base/errors.ts";
import { type Family, formatPrefix, type Ip, ipFamily, type Prefix } from "../../src/base/ip.ts";
import { sameValue } from "../../src/kube/object-store.ts";
import { listAddresses } from "../../src/linux/addresses.ts";
import { probeEsp } from "../../src/linux/esp-probe.ts";
import { ESP_LINK } from "../../src/linux/fabric-table.ts";
import { type ForwardFlow, planForwardFlows } from "../../src/linux/forward-flow.ts";
import { findDroppingForwards } from "../../src/linux/forward-policy.ts";
import { findLink } from "../../src/linux/links.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { lookUpNextHop } from "../../src/linux/next-hop.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { KeptTable, type TableElements, type TableSpec } from "../../src/linux/nftables-table.ts";
import type { RoutingChange } from "../../src/linux/routing-events.ts";
import { applyRoutingRules } from "../../src/linux/routing-rules.ts";
import type { WantedRule } from "../../src/linux/routing-rules-plan.ts";
import { RoutingTable } from "../../src/linux/routing-table.ts";
import { NODE_ROUTES_TABLE, POD_ROUTES_TABLE, type WantedRoute } from "../../src/linux/routing-table-plan.ts";
import { IKE_MARK, lookUpUplink } from "../../src/linux/uplink.ts";
import { nodePrefixes } from "../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { tunnelMtu } from "../../src/network/tunnel-mtu.ts";
import type { Link } from "../../src/wire/rtnetlink-link.ts";
import { KeptRoutes } from "./kept-routes.ts";
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
  readonly #pods = new KeptRoutes(new RoutingTable(this.#route, POD_ROUTES_TABLE));
  readonly #nodes = new KeptRoutes(new RoutingTable(this.#route, NODE_ROUTES_TABLE));
  #ruleset: Ruleset | undefined;
  /** That routes lead through: when one of them goes down, IPv4 routes are gone without a word. */
  #links: ReadonlySet<number> = new Set();
  #rules: readonly WantedRule[] = [];
  #dropping: readonly string[] = [];

  get route(): NetlinkSocket {
    return this.#route;
  }

  /** Whether the kernel may have lost something of ours by that change; else a way may be another one. */
  concerns({ tables, rules, linkIndexes, lost }: RoutingChange): boolean {
    if (lost || rules || tables.has(POD_ROUTES_TABLE) || tables.has(NODE_ROUTES_TABLE)) return true;
    return [...linkIndexes].some((index) => this.#links.has(index));
  }

  /**
   * @param addresses of this node, as the cluster knows it
   * @param full look at all that the kernel has, not only at what the plan has become
   * @throws SelvedgeError with an errno's name when the kernel cannot be read, or refuses the table of nftables
   */
  apply(reach: ReachPlan, own: TunnelEndpoint, addresses: readonly Ip[], full: boolean): FabricState {
    const here = new Set(([4, 6] as const).flatMap((family) => listAddresses(this.#route, family)).map(addressOf));
    // The kernel takes no other for a source.
    const nodeAddresses = addresses.filter((address) => here.has(address));
    const ends = [...reach.pods, ...reach.nodes].flatMap(({ way }) => (way.kind === "tunnel" ? [way.remoteHost] : []));
    const plan = planConnectorRoutes(reach, own, nodeAddresses, [...new Set(ends)], this.#hops());
    const pods = this.#pods.apply(plan.podRoutes, full);
    const nodes = this.#nodes.apply(plan.nodeRoutes, full);
    this.#links = new Set([...plan.podRoutes, ...plan.nodeRoutes].flatMap(linkOf));
    if (full || !sameValue(plan.rules, this.#rules)) {
      applyRoutingRules(this.#route, plan.rules, [POD_ROUTES_TABLE, NODE_ROUTES_TABLE]);
      this.#rules = plan.rules;
      this.#dropping = findDroppingForwards(this.#nft, () => flowsOf(reach, own));
    }
    this.#ruleset = rulesetOf(nodeAddresses, setsOf(reach, own), this.#ruleset);
    this.#table.keep(this.#ruleset.table, this.#ruleset.elements);
    return {
      blocked: [...pods.blocked, ...nodes.blocked].map(({ destination }) => formatPrefix(destination)),
      failures: [...pods.failures, ...nodes.failures].map(({ error }) => error),
      dropping: this.#dropping,
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
    const esp = findLink(this.#route, ESP_LINK);
    return (way, family) => {
      const key = `${keyOf(way)} ${family}`;
      if (!known.has(key)) known.set(key, this.#hop(way, family, esp));
      return known.get(key);
    };
  }

  /** @param esp the link of charon's own ESP */
  #hop(way: Way, family: Family, esp: Link | undefined): Hop | undefined {
    if (way.kind === "none") return undefined;
    if (way.kind === "connector") return lookUpNextHop(this.#route, way.connector, family);
    const uplink = lookUpUplink(this.#route, way.remoteHost, IKE_MARK);
    const inside = uplink && tunnelMtu(uplink.mtu, { ...way.carrier, family: ipFamily(way.remoteHost) });
    if (esp !== undefined)
      return { linkIndex: esp.index, gateway: undefined, mtu: Math.min(esp.mtu, inside ?? esp.mtu) };
    if (uplink === undefined || inside === undefined) return undefined;
    const gateway = uplink.gateway !== undefined && ipFamily(uplink.gateway) === family ? uplink.gateway : undefined;
    return { linkIndex: uplink.link.index, gateway, mtu: inside };
  }
}

/** The table of nftables, and what it was made of. */
interface Ruleset {
  readonly nodeAddresses: readonly Ip[];
  readonly sets: FabricSets;
  readonly table: TableSpec;
  readonly elements: TableElements;
}

/** The one before where it says the same, so that nobody has to compare what is in it. */
function rulesetOf(nodeAddresses: readonly Ip[], sets: FabricSets, before: Ruleset | undefined): Ruleset {
  const isSame = before !== undefined && sameValue(before.nodeAddresses, nodeAddresses);
  const table = isSame ? before.table : planConnectorTable(nodeAddresses);
  const hasSame = before !== undefined && sameValue(before.sets, sets);
  return { nodeAddresses, sets, table, elements: hasSame ? before.elements : planConnectorElements(sets) };
}

function linkOf(route: WantedRoute): readonly number[] {
  return route.kind === "unicast" ? [route.linkIndex] : [];
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

/** Pods of edges and of the cluster: the links between which they go are many, or not known. */
function flowsOf({ pods }: ReachPlan, own: TunnelEndpoint): readonly ForwardFlow[] {
  const edges = pods.map(({ destination }) => destination);
  return planForwardFlows({ prefixes: own.subnets }, { prefixes: edges });
}

function keyOf(way: Way): string {
  if (way.kind === "connector") return `connector ${way.connector.node}`;
  return way.kind === "none" ? "none" : `tunnel ${way.remoteHost} ${JSON.stringify(way.carrier)}`;
}

function addressOf({ address }: { readonly address: Ip }): Ip {
  return address;
}
