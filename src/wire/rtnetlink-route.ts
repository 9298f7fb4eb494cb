import { type Family, type Ip, ipBytes, ipFamily, makePrefix, type Prefix, parseIp } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { type NetlinkMessage, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST } from "./netlink.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";
import { addressFamily, CHANGE, familyOf, longPrefix, readIp, shortPayload, TABLE_IN_ATTRIBUTE } from "./rtnetlink.ts";

export type RouteType = "unicast" | "local" | "blackhole" | "unreachable" | "prohibit" | "other";

export interface Route {
  readonly destination: Prefix;
  readonly type: RouteType;
  readonly table: number;
  /** Who made it: ROUTE_PROTOCOL is us. */
  readonly protocol: number;
  /** 0 is "global", 253 "link", 254 "host". */
  readonly scope: number;
  /** The smaller one wins; IPv6 makes 1024 of 0. */
  readonly metric: number;
  readonly linkIndex: number | undefined;
  readonly gateway: Ip | undefined;
  /** The source address that packets of this node get. */
  readonly source: Ip | undefined;
}

/** What a dump is narrowed to, by the kernel where it can (Linux 4.20 and later) and by the decoder everywhere. */
export interface RouteFilter {
  readonly family: Family;
  readonly table: number;
}

/** Marks the routes of this program; free in linux/rtnetlink.h and in iproute2's etc/iproute2/rt_protos. */
export const ROUTE_PROTOCOL = 94;

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

/** struct rtmsg: u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags. */
const RTMSG_LENGTH = 12;
/** An entry of the kernel's cache of one destination, not a route. */
const RTM_F_CLONED = 0x200;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;

const TYPES: Readonly<Record<Exclude<RouteType, "other">, number>> = {
  unicast: 1,
  local: 2,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
};
const TYPE_NAMES = new Map(Object.entries(TYPES).map(([name, n]) => [n, name as RouteType]));

export function encodeRouteDump(writer: NetlinkWriter, sequence: number, filter: RouteFilter): void {
  writer.beginMessage(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence);
  writer.octets(addressFamily(filter.family), 0, 0, 0);
  writer.octets(TABLE_IN_ATTRIBUTE, 0, 0, 0);
  writer.u32(0);
  writer.attrU32(RTA_TABLE, filter.table);
  writer.endMessage();
}

/** @throws when there is one to the same destination with the same metric in the table: EEXIST */
export function encodeRouteAdd(writer: NetlinkWriter, sequence: number, route: Route): void {
  writer.beginMessage(RTM_NEWROUTE, CHANGE | NLM_F_CREATE | NLM_F_EXCL, sequence);
  body(writer, route);
}

export function encodeRouteDelete(writer: NetlinkWriter, sequence: number, route: Route): void {
  writer.beginMessage(RTM_DELROUTE, CHANGE, sequence);
  body(writer, route);
}

export function decodeRoute({ payload }: NetlinkMessage, filter: RouteFilter): Result<Route | undefined, DecodeError> {
  if (payload.length < RTMSG_LENGTH) return shortPayload(payload, RTMSG_LENGTH);
  const [familyNumber = 0, length = 0, , , shortTable = 0, protocol = 0, scope = 0, type = 0] = payload;
  const family = familyOf(familyNumber);
  const flags = new DataView(payload.buffer, payload.byteOffset).getUint32(8, true);
  if (family === undefined || (flags & RTM_F_CLONED) !== 0) return ok(undefined);
  const tooLong = longPrefix(family, length);
  if (tooLong !== undefined) return tooLong;

  let destination: Ip | undefined;
  let table = shortTable;
  let metric = 0;
  let linkIndex: number | undefined;
  let gateway: Ip | undefined;
  let source: Ip | undefined;
  const attributes = new AttributeReader(payload, RTMSG_LENGTH);
  while (attributes.next()) {
    if (attributes.type === RTA_DST) destination = readIp(attributes, family);
    else if (attributes.type === RTA_TABLE) table = attributes.u32();
    else if (attributes.type === RTA_PRIORITY) metric = attributes.u32();
    else if (attributes.type === RTA_OIF) linkIndex = attributes.u32();
    else if (attributes.type === RTA_GATEWAY) gateway = readIp(attributes, family);
    else if (attributes.type === RTA_PREFSRC) source = readIp(attributes, family);
  }
  if (attributes.fault !== undefined) return fail(attributes.fault);
  // A kernel that is built without the family answers with all that it has (rtnl_dump_all).
  if (filter.family !== family || filter.table !== table) return ok(undefined);
  return ok({
    // The default route has no RTA_DST.
    destination: destination === undefined ? defaultRoute(family) : makePrefix(destination, length),
    type: TYPE_NAMES.get(type) ?? "other",
    table,
    protocol,
    scope,
    metric,
    linkIndex,
    gateway,
    source,
  });
}

function body(writer: NetlinkWriter, route: Route): void {
  if (route.type === "other") throw new RangeError("Cannot encode a route of a type that only the kernel makes");
  const { address, length } = route.destination;
  writer.octets(addressFamily(ipFamily(address)), length, 0, 0);
  writer.octets(TABLE_IN_ATTRIBUTE, route.protocol, route.scope, TYPES[route.type]);
  writer.u32(0);
  writer.attrBytes(RTA_DST, ipBytes(address));
  writer.attrU32(RTA_TABLE, route.table);
  if (route.metric !== 0) writer.attrU32(RTA_PRIORITY, route.metric);
  if (route.linkIndex !== undefined) writer.attrU32(RTA_OIF, route.linkIndex);
  if (route.gateway !== undefined) writer.attrBytes(RTA_GATEWAY, ipBytes(route.gateway));
  if (route.source !== undefined) writer.attrBytes(RTA_PREFSRC, ipBytes(route.source));
  writer.endMessage();
}

function defaultRoute(family: Family): Prefix {
  const any = parseIp(family === 4 ? "0.0.0.0" : "::");
  if (!any.ok) throw new RangeError(any.error.why);
  return makePrefix(any.value, 0);
}
