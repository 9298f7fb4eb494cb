import type { SelvedgeError } from "../../src/base/errors.ts";
import { type Family, formatPrefix, type Ip, type Prefix } from "../../src/base/ip.ts";
import { listAddresses } from "../../src/linux/addresses.ts";
import { FABRIC_TABLE } from "../../src/linux/fabric-table.ts";
import { type ForwardFlow, planForwardFlows } from "../../src/linux/forward-flow.ts";
import { findDroppingForwards } from "../../src/linux/forward-policy.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { lookUpNextHop } from "../../src/linux/next-hop.ts";
import type { Nftables } from "../../src/linux/nftables.ts";
import { KeptTable, removeTable, type TableElements } from "../../src/linux/nftables-table.ts";
import { listRoutes } from "../../src/linux/routes.ts";
import type { RoutingChange } from "../../src/linux/routing-events.ts";
import { applyRoutingRules, removeRoutingRules } from "../../src/linux/routing-rules.ts";
import { RoutingTable } from "../../src/linux/routing-table.ts";
import { FABRIC_PROTOCOL, NODE_ROUTES_TABLE, POD_ROUTES_TABLE } from "../../src/linux/routing-table-plan.ts";
import type { ConnectorPublication } from "../../src/network/connector-claims.ts";
import type { Route } from "../../src/wire/rtnetlink-route.ts";
import { type EdgePlan, type FindHop, type Hop, overlapping, planNodeRoutes, planRouteChange } from "./plan.ts";
import { NODE_TABLE, planNodeElements } from "./ruleset.ts";

/** How the kernel took the plan. */
export interface KernelState {
  /** Changes of routes and rules that were made. */
  readonly writes: number;
  /** Nodes of connectors to which no way is known. */
  readonly unreached: readonly string[];
  /** Destinations whose route another program has in our table. */
  readonly blocked: readonly string[];
  readonly failures: readonly SelvedgeError[];
  /** Chains of other programs that drop what is forwarded, unless their rules take it. */
  readonly dropping: readonly string[];
}

type Hops = ReadonlyMap<string, Hop | undefined>;

/** What the kernel has, unless somebody else has changed it. */
interface Written {
  readonly plan: EdgePlan;
  readonly hops: Hops;
  readonly elements: TableElements;
  readonly state: KernelState;
  readonly hasWithdrawn: boolean;
  /** That routes lead through: when one of them goes down, IPv4 routes are gone without a word. */
  readonly links: readonly number[];
}

/** RT_TABLE_MAIN. */
const MAIN_TABLE = 254;
const TABLES = [POD_ROUTES_TABLE, NODE_ROUTES_TABLE];
const FAMILIES = [4, 6] as const;

/** What this node's kernel has of the fabric: routes, rules, and a table of nftables where it has nftables. */
export class NodeKernel {
  readonly route = new NetlinkSocket(NETLINK_ROUTE);
  readonly #nft: Nftables | undefined;
  readonly #filter: KeptTable | undefined;
  readonly #pods = new RoutingTable(this.route, POD_ROUTES_TABLE);
  /** A connector's, or an agent's, that ran here before. */
  readonly #nodes = new RoutingTable(this.route, NODE_ROUTES_TABLE);
  #last: Written | undefined;

  /** @param nft undefined: this kernel has none */
  constructor(nft: Nftables | undefined) {
    this.#nft = nft;
    this.#filter = nft && new KeptTable(nft);
  }

  ownAddresses(): readonly Ip[] {
    return FAMILIES.flatMap((family) => listAddresses(this.route, family)).map(({ address }) => address);
  }

  /** Destinations of the routes of ours, from this run or one before. */
  knownPrefixes(): readonly string[] {
    const own = this.#pods.observe().filter(isOurs);
    return [...new Set(own.map(({ destination }) => formatPrefix(destination)))];
  }

  /** Whether the kernel may have lost something of ours by that change. */
  concerns({ tables, rules, linkIndexes, lost }: RoutingChange): boolean {
    if (lost || rules || tables.has(POD_ROUTES_TABLE)) return true;
    // What has been withdrawn goes by what the main table becomes.
    if (this.#last?.hasWithdrawn === true && tables.has(MAIN_TABLE)) return true;
    return this.#last === undefined || this.#last.links.some((index) => linkIndexes.has(index));
  }

  /**
   * @param full look at the whole kernel, not only at what the plan and the ways to connectors have become
   * @throws SelvedgeError with an errno's name when the kernel cannot be read, or refuses the table of nftables
   */
  apply(plan: EdgePlan, full: boolean): KernelState {
    const hops = this.#hops(plan);
    return (full ? undefined : this.#change(plan, hops)) ?? this.#applyAll(plan, hops);
  }

  /** What has to be done where the kernel is as this program has left it. @returns undefined: look at all of it */
  #change(plan: EdgePlan, hops: Hops): KernelState | undefined {
    const last = this.#last;
    if (last === undefined) return undefined;
    // A connector that nothing was held by before has no way that could have changed.
    const isSame = [...hops].every(([key, hop]) => !last.hops.has(key) || sameHop(last.hops.get(key), hop));
    if (!isSame) return undefined;
    let { elements } = last;
    let writes = 0;
    if (plan !== last.plan) {
      const change = planRouteChange(last.plan, plan, finder(hops));
      if (change === undefined || !this.#pods.change(change.add, change.replace)) return undefined;
      if (change.add.length > 0) elements = elementsOf(plan);
      writes = change.add.length + change.replace.length;
      this.#remember({ ...last, plan, hops, elements });
    }
    this.#filter?.keep(NODE_TABLE, elements);
    return { ...last.state, writes };
  }

  #applyAll(plan: EdgePlan, hops: Hops): KernelState {
    this.#last = undefined;
    let [unreached, withdrawn]: readonly [readonly string[], readonly Prefix[]] = [[], []];
    const routes = this.#pods.apply((observed) => {
      const own = observed.filter(isOurs);
      const planned = planNodeRoutes(plan, finder(hops), own, (prefixes) => this.#covered(prefixes));
      ({ unreached, withdrawn } = planned);
      return planned.routes;
    });
    const rules = FAMILIES.map((family) => ({ family, priority: POD_ROUTES_TABLE, table: POD_ROUTES_TABLE }));
    const writes = routes.writes + this.#nodes.apply([]).writes + applyRoutingRules(this.route, rules, TABLES);
    const elements = elementsOf(plan);
    this.#filter?.keep(NODE_TABLE, elements);
    const state = {
      writes,
      unreached,
      blocked: routes.blocked.map(({ destination }) => formatPrefix(destination)),
      failures: routes.failures.map(({ error }) => error),
      dropping: this.#nft === undefined ? [] : findDroppingForwards(this.#nft, () => flowsOf(plan)),
    };
    // Only of a kernel that has the whole plan it is known what is there.
    const isWhole = unreached.length + state.blocked.length + state.failures.length === 0;
    if (isWhole) this.#remember({ plan, hops, elements, state, hasWithdrawn: withdrawn.length > 0 });
    return state;
  }

  #remember(written: Omit<Written, "links">): void {
    const links = new Set([...written.hops.values()].flatMap((hop) => (hop === undefined ? [] : [hop.linkIndex])));
    this.#last = { ...written, links: [...links] };
  }

  /**
   * Takes everything back that this program, or a connector before it, has left in the kernel.
   *
   * @param dryRun only look
   * @returns what was removed, or would be, for a person
   */
  remove(dryRun: boolean): readonly string[] {
    const table = this.#nft !== undefined && removeTable(this.#nft, "inet", FABRIC_TABLE, dryRun);
    return [
      ...(table ? [`nftables table inet ${FABRIC_TABLE}`] : []),
      ...this.#pods.remove(dryRun),
      ...this.#nodes.remove(dryRun),
      ...removeRoutingRules(this.route, TABLES, dryRun),
    ];
  }

  close(): void {
    this.route.close();
    this.#nft?.close();
  }

  /** The way to each connector that holds something, once for each family. */
  #hops({ held }: EdgePlan): Hops {
    const connectors = new Map(held.map(({ connector }) => [connector.node, connector]));
    return new Map(
      [...connectors.values()].flatMap((connector) =>
        FAMILIES.map((family) => [hopKey(connector, family), lookUpNextHop(this.route, connector, family)] as const),
      ),
    );
  }

  /** Those for which the main table has a better route than the default one, or that have one of its routes inside. */
  #covered(prefixes: readonly Prefix[]): readonly Prefix[] {
    const main = FAMILIES.flatMap((family) => listRoutes(this.route, { family, table: MAIN_TABLE }));
    const destinations = main.map(({ destination }) => destination).filter(({ length }) => length > 0);
    return overlapping(prefixes, destinations);
  }
}

function finder(hops: Hops): FindHop {
  return (connector, family) => hops.get(hopKey(connector, family));
}

function elementsOf({ held }: EdgePlan): TableElements {
  return planNodeElements(held.map(({ destination }) => destination));
}

/** Of the cluster's side it is not known which networks the pods have, or by which links they are reached. */
function flowsOf({ held }: EdgePlan): readonly ForwardFlow[] {
  return planForwardFlows({ prefixes: [] }, { prefixes: held.map(({ destination }) => destination) });
}

function sameHop(a: Hop | undefined, b: Hop | undefined): boolean {
  return a?.linkIndex === b?.linkIndex && a?.gateway === b?.gateway && a?.onlink === b?.onlink;
}

function isOurs(route: Route): boolean {
  return route.protocol === FABRIC_PROTOCOL;
}

function hopKey({ node }: ConnectorPublication, family: Family): string {
  return `${node} ${family}`;
}
