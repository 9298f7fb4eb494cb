import { errorCode } from "../base/errors.ts";
import { formatPrefix } from "../base/ip.ts";
import {
  decodeRoute,
  decodeRouteAnswer,
  encodeRouteAdd,
  encodeRouteDelete,
  encodeRouteDump,
  encodeRouteQuery,
  type Route,
  type RouteFilter,
  type RouteQuery,
} from "../wire/rtnetlink-route.ts";
import type { EncodeRequest, NetlinkSocket } from "./netlink-socket.ts";

/** No route; unreachable, prohibit and blackhole ones; a family whose links are all down, or that the kernel lacks. */
const NO_WAY: ReadonlySet<string> = new Set([
  ...["ENETUNREACH", "EHOSTUNREACH", "EACCES", "EINVAL", "ENETDOWN", "EAFNOSUPPORT", "EOPNOTSUPP"],
]);

/** @param socket a NETLINK_ROUTE socket, here and below */
export function listRoutes(socket: NetlinkSocket, filter: RouteFilter): readonly Route[] {
  const encode: EncodeRequest = (writer, sequence) => encodeRouteDump(writer, sequence, filter);
  try {
    return socket.request(`list IPv${filter.family} routes`, encode, (message) => decodeRoute(message, filter));
  } catch (error) {
    // A table comes into being with its first route.
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** @throws SelvedgeError EEXIST when the table has one to the same destination with the same metric */
export function addRoute(socket: NetlinkSocket, route: Route): void {
  socket.request(`add ${text(route)}`, (writer, sequence) => encodeRouteAdd(writer, sequence, route));
}

/** @throws SelvedgeError ESRCH when there is no such route */
export function deleteRoute(socket: NetlinkSocket, route: Route): void {
  socket.request(`delete ${text(route)}`, (writer, sequence) => encodeRouteDelete(writer, sequence, route));
}

/** @returns undefined where the answer is that there is no way: no route, or one that says so */
export function queryRoute(socket: NetlinkSocket, query: RouteQuery): Route | undefined {
  const encode: EncodeRequest = (writer, sequence) => encodeRouteQuery(writer, sequence, query);
  try {
    return socket.request(`look up the route to ${query.destination}`, encode, decodeRouteAnswer)[0];
  } catch (error) {
    if (NO_WAY.has(errorCode(error))) return undefined;
    throw error;
  }
}

function text(route: Route): string {
  const via = route.gateway === undefined ? "" : ` via ${route.gateway}`;
  return `${route.type} route ${formatPrefix(route.destination)}${via} in table ${route.table}`;
}
