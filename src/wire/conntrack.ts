import { type Family, type Ip, ipBytes } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { type NetlinkMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from "./netlink.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";
import { addressFamily, familyOf, readIp, shortPayload } from "./rtnetlink.ts";

/** One direction of a connection. */
export interface ConntrackTuple {
  readonly source: Ip;
  readonly destination: Ip;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** A connection that the kernel tracks, of a protocol with ports. */
export interface ConntrackEntry {
  readonly family: Family;
  /** IPPROTO_TCP is 6, IPPROTO_UDP 17, IPPROTO_SCTP 132. */
  readonly protocol: number;
  /** As the first packet came: its destination is the service, where there is one. */
  readonly original: ConntrackTuple;
  /** As answers come: their source is the endpoint that was chosen. */
  readonly reply: ConntrackTuple;
  /** Whether an answer has passed. */
  readonly answered: boolean;
  readonly id: number;
  readonly zone: number;
}

/** linux/netfilter/nfnetlink.h: NFNL_SUBSYS_CTNETLINK in the upper byte, the message in the lower. */
const IPCTNL_MSG_CT_GET = 0x101;
const IPCTNL_MSG_CT_DELETE = 0x102;
/** struct nfgenmsg: u8 family, u8 version, u16 resource. */
const NFGENMSG_LENGTH = 4;

/** linux/netfilter/nfnetlink_conntrack.h */
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
/** linux/netfilter/nf_conntrack_common.h */
const IPS_SEEN_REPLY = 1 << 1;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
/** net/netfilter/nf_internals.h: compare the protocol's number. */
const CTA_FILTER_F_CTA_PROTO_NUM = 1 << 3;

/** The kernel sends other protocols' entries too before Linux 5.8: the decoder leaves them out. */
export function encodeConntrackDump(writer: NetlinkWriter, sequence: number, family: Family, protocol: number): void {
  writer.beginMessage(IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, sequence);
  writer.octets(addressFamily(family), 0, 0, 0);
  const original = writer.beginNested(CTA_TUPLE_ORIG);
  const proto = writer.beginNested(CTA_TUPLE_PROTO);
  writer.attrU8(CTA_PROTO_NUM, protocol);
  writer.endNested(proto);
  writer.endNested(original);
  const filter = writer.beginNested(CTA_FILTER);
  writer.attrU32(CTA_FILTER_ORIG_FLAGS, CTA_FILTER_F_CTA_PROTO_NUM);
  writer.attrU32(CTA_FILTER_REPLY_FLAGS, 0);
  writer.endNested(filter);
  writer.endMessage();
}

/** The id spares a connection that took its place meanwhile. Without a tuple the kernel would delete all of them. */
export function encodeConntrackDelete(writer: NetlinkWriter, sequence: number, entry: ConntrackEntry): void {
  writer.beginMessage(IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, sequence);
  writer.octets(addressFamily(entry.family), 0, 0, 0);
  const original = writer.beginNested(CTA_TUPLE_ORIG);
  encodeTuple(writer, entry);
  writer.endNested(original);
  writer.attrU32be(CTA_ID, entry.id);
  if (entry.zone !== 0) writer.attrU16be(CTA_ZONE, entry.zone);
  writer.endMessage();
}

/** @returns undefined for entries of another protocol, or of one without ports */
export function decodeConntrack(
  { payload }: NetlinkMessage,
  protocol: number,
): Result<ConntrackEntry | undefined, DecodeError> {
  if (payload.length < NFGENMSG_LENGTH) return shortPayload(payload, NFGENMSG_LENGTH);
  const family = familyOf(payload[0] ?? 0);
  if (family === undefined) return ok(undefined);
  let original: NumberedTuple | undefined;
  let reply: NumberedTuple | undefined;
  let answered = true;
  let id = 0;
  let zone = 0;
  const attributes = new AttributeReader(payload, NFGENMSG_LENGTH);
  while (attributes.next()) {
    if (attributes.type === CTA_TUPLE_ORIG) original = decodeTuple(attributes.nested(), family);
    else if (attributes.type === CTA_TUPLE_REPLY) reply = decodeTuple(attributes.nested(), family);
    else if (attributes.type === CTA_STATUS) answered = (attributes.u32be() & IPS_SEEN_REPLY) !== 0;
    else if (attributes.type === CTA_ID) id = attributes.u32be();
    else if (attributes.type === CTA_ZONE) zone = attributes.u16be();
  }
  if (attributes.fault !== undefined) return fail(attributes.fault);
  if (original?.protocol !== protocol || reply === undefined) return ok(undefined);
  return ok({ family, protocol, original: original.tuple, reply: reply.tuple, answered, id, zone });
}

interface NumberedTuple {
  readonly protocol: number;
  readonly tuple: ConntrackTuple;
}

function decodeTuple(attributes: AttributeReader, family: Family): NumberedTuple | undefined {
  let source: Ip | undefined;
  let destination: Ip | undefined;
  let protocol = 0;
  let sourcePort: number | undefined;
  let destinationPort: number | undefined;
  while (attributes.next()) {
    const inner = attributes.nested();
    if (attributes.type === CTA_TUPLE_IP) {
      while (inner.next()) {
        if (inner.type === CTA_IP_V4_SRC || inner.type === CTA_IP_V6_SRC) source = readIp(inner, family);
        else if (inner.type === CTA_IP_V4_DST || inner.type === CTA_IP_V6_DST) destination = readIp(inner, family);
      }
    } else if (attributes.type === CTA_TUPLE_PROTO) {
      while (inner.next()) {
        if (inner.type === CTA_PROTO_NUM) protocol = inner.u8();
        else if (inner.type === CTA_PROTO_SRC_PORT) sourcePort = inner.u16be();
        else if (inner.type === CTA_PROTO_DST_PORT) destinationPort = inner.u16be();
      }
    }
  }
  if (source === undefined || destination === undefined) return undefined;
  if (sourcePort === undefined || destinationPort === undefined) return undefined;
  return { protocol, tuple: { source, destination, sourcePort, destinationPort } };
}

function encodeTuple(writer: NetlinkWriter, entry: ConntrackEntry): void {
  const { source, destination, sourcePort, destinationPort } = entry.original;
  const ip = writer.beginNested(CTA_TUPLE_IP);
  writer.attrBytes(entry.family === 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, ipBytes(source));
  writer.attrBytes(entry.family === 4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, ipBytes(destination));
  writer.endNested(ip);
  const proto = writer.beginNested(CTA_TUPLE_PROTO);
  writer.attrU8(CTA_PROTO_NUM, entry.protocol);
  writer.attrU16be(CTA_PROTO_SRC_PORT, sourcePort);
  writer.attrU16be(CTA_PROTO_DST_PORT, destinationPort);
  writer.endNested(proto);
}
