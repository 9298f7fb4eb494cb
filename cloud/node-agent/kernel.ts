import type { SelvedgeError } from "../../src/base/errors.ts";
import { type Family, formatPrefix, type Ip, type Prefix } from "../../src/base/ip.ts";
import { listAddresses } from "../../src/linux/addresses.ts";
import { FABRIC_TABLE } from "../../src/linux/fabric-table.ts";
import { findDroppingForwards } from "../../src/linux/forward-policy.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { lookUpNextHop } from "../../src/linux/next-hop.ts";
import type { Nftables } from "../../src/linux/nftables.ts";
import { KeptTable, removeTable, type TableElements } from "../../src/linux/nftables-table.ts";
import { listRoutes } from "../../src/linux/routes.ts";
import { applyRoutingRules, removeRoutingRules } from "../../src/linux/routing-rules.ts";
import { RoutingTable } from "../../src/linux/routing-table.ts";
import { FABRIC_PROTOCOL, NODE_ROUTES_TABLE, POD_ROUTES_TABLE } from "../../src/linux/routing-table-plan.ts";
import type { ConnectorPublication } from "../../src/network/connector-claims.ts";
import type { Route } from "../../src/wire/rtnetlink-route.ts";
import { type EdgePlan, type FindHop, type Hop, overlapping, planNodeRoutes } from "./plan.ts";
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
  #last:
    | {
        readonly plan: EdgePlan;
        readonly ways: string;
        readonly elements: TableElements;
        readonly state: KernelState;
      }
    | undefined;

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

  /**
   * @param full look at the whole kernel, not only at what the plan and the ways to connectors have become
   * @throws SelvedgeError with an errno's name when the kernel cannot be read, or refuses the table of nftables
   */
  apply(plan: EdgePlan, full: boolean): KernelState {
    const hops = this.#hops(plan);
    const ways = JSON.stringify([...hops]);
    if (this.#last?.plan === plan && this.#last.ways === ways && !full) {
      this.#filter?.keep(NODE_TABLE, this.#last.elements);
      return { ...this.#last.state, writes: 0 };
    }
    let [unreached, withdrawn]: readonly [readonly string[], readonly Prefix[]] = [[], []];
    const routes = this.#pods.apply((observed) => {
      const find: FindHop = (connector, family) => hops.get(hopKey(connector, family));
      const own = observed.filter(isOurs);
      const planned = planNodeRoutes(plan, find, own, (prefixes) => this.#covered(prefixes));
      ({ unreached, withdrawn } = planned);
      return planned.routes;
    });
    const rules = FAMILIES.map((family) => ({ family, priority: POD_ROUTES_TABLE, table: POD_ROUTES_TABLE }));
    const writes = routes.writes + this.#nodes.apply([]).writes + applyRoutingRules(this.route, rules, TABLES);
    const elements = planNodeElements(plan.held.map(({ destination }) => destination));
    this.#filter?.keep(NODE_TABLE, elements);
    const state = {
      writes,
      unreached,
      blocked: routes.blocked.map(({ destination }) => formatPrefix(destination)),
      failures: routes.failures.map(({ error }) => error),
      dropping: this.#nft === undefined ? [] : findDroppingForwards(this.#nft),
    };
    // What has been withdrawn goes by what the main table becomes.
    this.#last = withdrawn.length > 0 ? undefined : { plan, ways, elements, state };
    return state;
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
  #hops({ held }: EdgePlan): ReadonlyMap<string, Hop | undefined> {
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

function isOurs(route: Route): boolean {
  return route.protocol === FABRIC_PROTOCOL;
}

function hopKey({ node }: ConnectorPublication, family: Family): string {
  return `${node} ${family}`;
}
