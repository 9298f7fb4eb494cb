import { errorCode, type SelvedgeError } from "../base/errors.ts";
import { type Family, formatPrefix } from "../base/ip.ts";
import { NetlinkWriter } from "../wire/netlink-writer.ts";
import { encodeRouteAdd, encodeRouteDelete, encodeRouteReplace, type Route } from "../wire/rtnetlink-route.ts";
import { systemError } from "./errno.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";
import { listRoutes } from "./routes.ts";
import { FABRIC_PROTOCOL, planRoutingTable, routeOf, type WantedRoute } from "./routing-table-plan.ts";

export interface RouteFailure {
  readonly route: Route;
  readonly error: SelvedgeError;
}

export interface RoutingTableState {
  /** Changes that the kernel made: 0 when all was as it should be. */
  readonly writes: number;
  /** Routes of ours that are missing, as another program's has their destination and metric. */
  readonly blocked: readonly Route[];
  /** Routes that the kernel refused, such as one whose gateway is on no link; all others were written. */
  readonly failures: readonly RouteFailure[];
}

/** Requests in one `sendto`: their refusals have to fit the receive buffer all at once. */
const BATCH = 1000;

type Encode = typeof encodeRouteAdd;

/** Our routes of one table of the kernel's; those of others are seen and left alone. */
export class RoutingTable {
  readonly #socket: NetlinkSocket;
  readonly #table: number;
  readonly #families: readonly Family[];
  readonly #writer = new NetlinkWriter();

  /**
   * @param socket a NETLINK_ROUTE socket
   * @param families that this kernel has
   */
  constructor(socket: NetlinkSocket, table: number, families: readonly Family[] = [4, 6]) {
    this.#socket = socket;
    this.#table = table;
    this.#families = families;
  }

  /** Everybody's routes of the table. @throws SelvedgeError with an errno's name */
  observe(): readonly Route[] {
    return this.#families.flatMap((family) => listRoutes(this.#socket, { family, table: this.#table }));
  }

  /**
   * Gives the table these routes of ours and no others. Whatever is there already is not written again.
   * @param wanted or what says it, given everybody's routes of the table
   * @throws SelvedgeError with an errno's name when the table cannot be read
   */
  apply(wanted: Iterable<WantedRoute> | ((observed: readonly Route[]) => Iterable<WantedRoute>)): RoutingTableState {
    const observed = this.observe();
    const routes = typeof wanted === "function" ? wanted(observed) : wanted;
    const plan = planRoutingTable(this.#table, routes, observed);
    const failures: RouteFailure[] = [];
    const writes =
      this.#write("add", encodeRouteAdd, plan.add, failures) +
      this.#write("replace", encodeRouteReplace, plan.replace, failures) +
      this.#write("delete", encodeRouteDelete, plan.remove, failures);
    return { writes, blocked: plan.blocked, failures };
  }

  /**
   * Adds and replaces single routes of ours without a look at the table, for whoever has written all of it and has heard
   * of no change by others since.
   *
   * @returns whether the table was as it was taken to be; if not, `apply` has to look at all of it
   */
  change(add: readonly WantedRoute[], replace: readonly WantedRoute[]): boolean {
    const failures: RouteFailure[] = [];
    const routes = (wanted: readonly WantedRoute[]) => wanted.map((route) => routeOf(this.#table, route));
    this.#write("add", encodeRouteAdd, routes(add), failures);
    this.#write("replace", encodeRouteReplace, routes(replace), failures);
    return failures.length === 0;
  }

  /**
   * For a clean-up command.
   *
   * @param dryRun only look
   * @returns what was removed, or would be, for a person
   */
  remove(dryRun: boolean): readonly string[] {
    const own = this.observe().filter((route) => route.protocol === FABRIC_PROTOCOL);
    const failures: RouteFailure[] = [];
    if (!dryRun) this.#write("delete", encodeRouteDelete, own, failures);
    const kept = new Set(failures.map(({ route }) => route));
    return own.filter((route) => !kept.has(route)).map(routeText);
  }

  /** @returns how many were done */
  #write(verb: string, encode: Encode, routes: readonly Route[], failures: RouteFailure[]): number {
    let done = 0;
    for (let start = 0; start < routes.length; start += BATCH) {
      const batch = routes.slice(start, start + BATCH);
      this.#writer.reset();
      const bySequence = new Map(batch.map((route) => [this.#encode(encode, route), route]));
      done += batch.length;
      for (const ack of this.#socket.transact(`${verb} routes of table ${this.#table}`, this.#writer.bytes())) {
        const route = bySequence.get(ack.sequence);
        if (ack.errno === 0 || route === undefined) continue;
        done -= 1;
        const error = systemError(`${verb} ${routeText(route)}`, ack.errno, ack.text);
        // Gone with its link, or by somebody else's hand.
        if (verb !== "delete" || errorCode(error) !== "ESRCH") failures.push({ route, error });
      }
    }
    return done;
  }

  #encode(encode: Encode, route: Route): number {
    const sequence = this.#socket.nextSequence();
    encode(this.#writer, sequence, route);
    return sequence;
  }
}

function routeText(route: Route): string {
  const via = route.gateway === undefined ? "" : ` via ${route.gateway}`;
  return `${route.type} route ${formatPrefix(route.destination)}${via} in table ${route.table}`;
}
