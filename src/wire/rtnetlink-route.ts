import { type Family, type Ip, ipBytes, ipFamily, ipFromBytes, makePrefix, type Prefix, parseIp } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { type NetlinkMessage, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST } from "./netlink.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";
import {
  addressFamily,
  CHANGE,
  familyOf,
  longPrefix,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  readIp,
  shortPayload,
  TABLE_IN_ATTRIBUTE,
} from "./rtnetlink.ts";

export type RouteType = "unicast" | "local" | "blackhole" | "unreachable" | "prohibit" | "throw" | "other";

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
  /** The gateway is taken for a neighbour on the link, whatever its address is. */
  readonly onlink?: boolean | undefined;
  /** Of what the route leads through, where that is less than the link's. */
  readonly mtu?: number | undefined;
  /** With several next hops, link and gateway are those of the first one that works; such a route is not written. */
  readonly multipath?: boolean | undefined;
}

/** What the kernel would do with a packet of this node: RTM_GETROUTE without NLM_F_DUMP. */
export interface RouteQuery {
  readonly destination: Ip;
  /** As if the packet had this mark, so that rules may send it elsewhere. */
  readonly mark?: number | undefined;
  /** The route itself with its prefix and flags, not what it comes to for this one packet. */
  readonly matched: boolean;
}

/** What a dump is narrowed to, by the kernel where it can (Linux 4.20 and later) and by the decoder everywhere. */
export interface RouteFilter {
  readonly family: Family;
  readonly table: number;
}

/** Marks the routes of this program; free in linux/rtnetlink.h and in iproute2's etc/iproute2/rt_protos. */
export const ROUTE_PROTOCOL = 94;

const RTM_GETROUTE = 26;

/** struct rtmsg: u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags. */
const RTMSG_LENGTH = 12;
/** An entry of the kernel's cache of one destination, not a route. */
const RTM_F_CLONED = 0x200;
const RTM_F_LOOKUP_TABLE = 0x1000;
const RTM_F_FIB_MATCH = 0x2000;

/** struct rtnexthop: u16 length with its attributes, u8 flags, u8 hops, i32 link index. */
const RTNEXTHOP_LENGTH = 8;
const RTNH_F_DEAD = 0x1;
/** The only flag of a next hop that a request sets; in a route without several it stands in rtm_flags. */
const RTNH_F_ONLINK = 0x4;
const RTNH_F_LINKDOWN = 0x10;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_MARK = 16;
const RTA_VIA = 18;

const RTAX_MTU = 2;

const TYPES: Readonly<Record<Exclude<RouteType, "other">, number>> = {
  unicast: 1,
  local: 2,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
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

/** Puts it in the place of the one to the same destination with the same metric, whoever made that, in one go. */
export function encodeRouteReplace(writer: NetlinkWriter, sequence: number, route: Route): void {
  writer.beginMessage(RTM_NEWROUTE, CHANGE | NLM_F_CREATE | NLM_F_REPLACE, sequence);
  body(writer, route);
}

export function encodeRouteDelete(writer: NetlinkWriter, sequence: number, route: Route): void {
  writer.beginMessage(RTM_DELROUTE, CHANGE, sequence);
  // Without a next hop the whole route is meant, whatever its hops are.
  const whole = { ...route, multipath: undefined, linkIndex: undefined, gateway: undefined, onlink: undefined };
  body(writer, route.multipath === true ? whole : route);
}

/** The answer is one route, ENETUNREACH without one, or the errno of its type: EHOSTUNREACH for "unreachable". */
export function encodeRouteQuery(writer: NetlinkWriter, sequence: number, query: RouteQuery): void {
  const bytes = ipBytes(query.destination);
  writer.beginMessage(RTM_GETROUTE, CHANGE, sequence);
  const family = ipFamily(query.destination);
  writer.octets(addressFamily(family), 8 * bytes.length, 0, 0);
  writer.u32(0);
  // IPv6 tells the table unasked, and refuses to be asked.
  writer.u32((family === 4 ? RTM_F_LOOKUP_TABLE : 0) | (query.matched ? RTM_F_FIB_MATCH : 0));
  writer.attrBytes(RTA_DST, bytes);
  if (query.mark !== undefined) writer.attrU32(RTA_MARK, query.mark);
  writer.endMessage();
}

/** @returns undefined for what the filter leaves out, and for entries of the cache */
export function decodeRoute(message: NetlinkMessage, filter: RouteFilter): Result<Route | undefined, DecodeError> {
  const flags = flagsOf(message.payload);
  if ((flags & RTM_F_CLONED) !== 0) return ok(undefined);
  const route = decodeRouteAnswer(message);
  if (!route.ok || route.value === undefined) return route;
  const { destination, table } = route.value;
  // A kernel that is built without the family answers with all that it has (rtnl_dump_all).
  const isAsked = filter.family === ipFamily(destination.address) && filter.table === table;
  return isAsked ? route : ok(undefined);
}

/** The table of an event, without the rest; undefined where the message does not say. @param message RTM_NEWROUTE or RTM_DELROUTE */
export function decodeRouteTable({ payload }: NetlinkMessage): number | undefined {
  const attributes = new AttributeReader(payload, RTMSG_LENGTH);
  while (attributes.next()) if (attributes.type === RTA_TABLE) return attributes.u32();
  return payload[4];
}

/** @param message RTM_NEWROUTE; routes of other families are undefined */
export function decodeRouteAnswer({ payload }: NetlinkMessage): Result<Route | undefined, DecodeError> {
  if (payload.length < RTMSG_LENGTH) return shortPayload(payload, RTMSG_LENGTH);
  const [familyNumber = 0, length = 0, , , shortTable = 0, protocol = 0, scope = 0, type = 0] = payload;
  const family = familyOf(familyNumber);
  if (family === undefined) return ok(undefined);
  const tooLong = longPrefix(family, length);
  if (tooLong !== undefined) return tooLong;

  let destination: Ip | undefined;
  let table = shortTable;
  let metric = 0;
  let source: Ip | undefined;
  let mtu: number | undefined;
  let hop: NextHop = { linkIndex: undefined, gateway: undefined, onlink: (flagsOf(payload) & RTNH_F_ONLINK) !== 0 };
  let multipath = false;
  const attributes = new AttributeReader(payload, RTMSG_LENGTH);
  while (attributes.next()) {
    if (attributes.type === RTA_DST) destination = readIp(attributes, family);
    else if (attributes.type === RTA_TABLE) table = attributes.u32();
    else if (attributes.type === RTA_PRIORITY) metric = attributes.u32();
    else if (attributes.type === RTA_PREFSRC) source = readIp(attributes, family);
    else if (attributes.type === RTA_METRICS) mtu = readMtu(attributes.nested());
    else if (attributes.type === RTA_MULTIPATH) {
      const hops = readHops(attributes.bytes(), family);
      if (!hops.ok) return hops;
      multipath = true;
      hop = hops.value ?? hop;
    } else hop = readHop(attributes, family, hop);
  }
  if (attributes.fault !== undefined) return fail(attributes.fault);
  return ok({
    // The default route has no RTA_DST.
    destination: destination === undefined ? defaultRoute(family) : makePrefix(destination, length),
    type: TYPE_NAMES.get(type) ?? "other",
    table,
    protocol,
    scope,
    metric,
    linkIndex: hop.linkIndex,
    gateway: hop.gateway,
    source,
    ...(hop.onlink && { onlink: true }),
    ...(mtu !== undefined && { mtu }),
    ...(multipath && { multipath }),
  });
}

interface NextHop {
  readonly linkIndex: number | undefined;
  readonly gateway: Ip | undefined;
  readonly onlink: boolean;
}

/** @returns `hop` with what the current attribute says of it */
function readHop(attributes: AttributeReader, family: Family, hop: NextHop): NextHop {
  if (attributes.type === RTA_OIF) return { ...hop, linkIndex: attributes.u32() };
  if (attributes.type === RTA_GATEWAY) return { ...hop, gateway: readIp(attributes, family) };
  if (attributes.type === RTA_VIA) return { ...hop, gateway: readVia(attributes.bytes()) };
  return hop;
}

/** struct rtvia: the address family of the gateway, which is not that of the route, and the address. */
function readVia(bytes: Uint8Array): Ip | undefined {
  const family = familyOf((bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8));
  const address = bytes.subarray(2);
  return family === undefined || address.length !== (family === 4 ? 4 : 16) ? undefined : ipFromBytes(address);
}

/** @returns the first that works, or the first; undefined when there is none */
function readHops(bytes: Uint8Array, family: Family): Result<NextHop | undefined, DecodeError> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let first: NextHop | undefined;
  for (let at = 0; bytes.length - at >= RTNEXTHOP_LENGTH; ) {
    const length = view.getUint16(at, true);
    if (length < RTNEXTHOP_LENGTH || length > bytes.length - at) {
      return fail({ at, why: `a next hop of ${length} bytes does not fit the ${bytes.length - at} that are left` });
    }
    const flags = bytes[at + 2] ?? 0;
    const onlink = (flags & RTNH_F_ONLINK) !== 0;
    let hop: NextHop = { linkIndex: view.getUint32(at + 4, true), gateway: undefined, onlink };
    const attributes = new AttributeReader(bytes, at + RTNEXTHOP_LENGTH, at + length);
    while (attributes.next()) hop = readHop(attributes, family, hop);
    if (attributes.fault !== undefined) return fail(attributes.fault);
    if ((flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) === 0) return ok(hop);
    first ??= hop;
    at += (length + 3) & ~3;
  }
  return ok(first);
}

function readMtu(metrics: AttributeReader): number | undefined {
  while (metrics.next()) if (metrics.type === RTAX_MTU) return metrics.u32();
  return undefined;
}

function flagsOf(payload: Uint8Array): number {
  if (payload.length < RTMSG_LENGTH) return 0;
  return new DataView(payload.buffer, payload.byteOffset).getUint32(8, true);
}

function body(writer: NetlinkWriter, route: Route): void {
  if (route.type === "other") throw new RangeError("Cannot encode a route of a type that only the kernel makes");
  if (route.multipath === true) throw new RangeError("Cannot encode a route of which not all next hops are known");
  const { address, length } = route.destination;
  const family = ipFamily(address);
  writer.octets(addressFamily(family), length, 0, 0);
  writer.octets(TABLE_IN_ATTRIBUTE, route.protocol, route.scope, TYPES[route.type]);
  writer.u32(route.onlink === true ? RTNH_F_ONLINK : 0);
  writer.attrBytes(RTA_DST, ipBytes(address));
  writer.attrU32(RTA_TABLE, route.table);
  if (route.metric !== 0) writer.attrU32(RTA_PRIORITY, route.metric);
  if (route.linkIndex !== undefined) writer.attrU32(RTA_OIF, route.linkIndex);
  if (route.gateway !== undefined) writeGateway(writer, route.gateway, family);
  if (route.source !== undefined) writer.attrBytes(RTA_PREFSRC, ipBytes(route.source));
  if (route.mtu !== undefined) {
    const metrics = writer.beginNested(RTA_METRICS);
    writer.attrU32(RTAX_MTU, route.mtu);
    writer.endNested(metrics);
  }
  writer.endMessage();
}

function writeGateway(writer: NetlinkWriter, gateway: Ip, family: Family): void {
  const gatewayFamily = ipFamily(gateway);
  if (gatewayFamily === family) writer.attrBytes(RTA_GATEWAY, ipBytes(gateway));
  else writer.attrBytes(RTA_VIA, Uint8Array.of(addressFamily(gatewayFamily), 0, ...ipBytes(gateway)));
}

function defaultRoute(family: Family): Prefix {
  const any = parseIp(family === 4 ? "0.0.0.0" : "::");
  if (!any.ok) throw new RangeError(any.error.why);
  return makePrefix(any.value, 0);
}
