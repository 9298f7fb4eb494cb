import { type Family, type Ip, ipBytes, makePrefix, type Prefix } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { type NetlinkMessage, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST } from "./netlink.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";
import {
  addressFamily,
  CHANGE,
  familyOf,
  longPrefix,
  RTM_DELRULE,
  RTM_NEWRULE,
  readIp,
  shortPayload,
  TABLE_IN_ATTRIBUTE,
} from "./rtnetlink.ts";

/** "These packets look into this table", at its place among the other rules; all packets unless it says which. */
export interface PolicyRule {
  readonly family: Family;
  /** The smaller one is asked first. */
  readonly priority: number;
  readonly table: number;
  /** Only packets from there. */
  readonly from?: Prefix | undefined;
  /** Only packets whose mark is this one in the bits of the mask. */
  readonly mark?: { readonly value: number; readonly mask: number } | undefined;
  /** All packets but those that `from` and `mark` describe. */
  readonly invert?: boolean | undefined;
  /** Who made it; undefined where nobody said (RTPROT_UNSPEC), and before Linux 4.17. */
  readonly protocol?: number | undefined;
  /** It chooses among packets by something that is not written here. */
  readonly unwritten?: boolean | undefined;
}

const RTM_GETRULE = 34;

/** struct fib_rule_hdr: u8 family, dst_len, src_len, tos, table, res1, res2, action; u32 flags. */
const RULE_HEADER_LENGTH = 12;
const FR_ACT_TO_TBL = 1;
const FIB_RULE_INVERT = 2;

/** linux/fib_rules.h */
const FRA_SRC = 2;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_PROTOCOL = 21;

const ALL_BITS = 0xffffffff;
const SUPPRESS_NOTHING = 0xffffffff;

export function encodeRuleDump(writer: NetlinkWriter, sequence: number, family: Family): void {
  writer.beginMessage(RTM_GETRULE, NLM_F_REQUEST | NLM_F_DUMP, sequence);
  writer.octets(addressFamily(family), 0, 0, 0);
  writer.u32(0);
  writer.u32(0);
  writer.endMessage();
}

export function encodeRuleAdd(writer: NetlinkWriter, sequence: number, rule: PolicyRule): void {
  writer.beginMessage(RTM_NEWRULE, CHANGE | NLM_F_CREATE | NLM_F_EXCL, sequence);
  body(writer, rule);
}

/** Of rules that differ in nothing but who made them, the kernel deletes the first. */
export function encodeRuleDelete(writer: NetlinkWriter, sequence: number, rule: PolicyRule): void {
  writer.beginMessage(RTM_DELRULE, CHANGE, sequence);
  body(writer, rule);
}

/** Rules that do something else than look into a table are undefined. */
export function decodeRule({ payload }: NetlinkMessage): Result<PolicyRule | undefined, DecodeError> {
  if (payload.length < RULE_HEADER_LENGTH) return shortPayload(payload, RULE_HEADER_LENGTH);
  const [familyNumber = 0, toLength = 0, fromLength = 0, tos = 0, shortTable = 0, , , action = 0, flags = 0] = payload;
  const family = familyOf(familyNumber);
  if (family === undefined || action !== FR_ACT_TO_TBL) return ok(undefined);
  const tooLong = longPrefix(family, fromLength);
  if (tooLong !== undefined) return tooLong;
  let priority = 0;
  let table = shortTable;
  let protocol = 0;
  let source: Ip | undefined;
  let value: number | undefined;
  let mask: number | undefined;
  let unwritten = toLength + tos > 0;
  const attributes = new AttributeReader(payload, RULE_HEADER_LENGTH);
  while (attributes.next()) {
    if (attributes.type === FRA_PRIORITY) priority = attributes.u32();
    else if (attributes.type === FRA_TABLE) table = attributes.u32();
    else if (attributes.type === FRA_PROTOCOL) protocol = attributes.u8();
    else if (attributes.type === FRA_SRC) source = readIp(attributes, family);
    else if (attributes.type === FRA_FWMARK) value = attributes.u32();
    else if (attributes.type === FRA_FWMASK) mask = attributes.u32();
    else if (attributes.type === FRA_SUPPRESS_PREFIXLEN) unwritten ||= attributes.u32() !== SUPPRESS_NOTHING;
    else unwritten = true;
  }
  if (attributes.fault !== undefined) return fail(attributes.fault);
  unwritten ||= fromLength > 0 && source === undefined;
  return ok({
    family,
    priority,
    table,
    ...(source !== undefined && { from: makePrefix(source, fromLength) }),
    // The kernel leaves a mark of 0 out, and its mask never.
    ...((value ?? mask) !== undefined && { mark: { value: value ?? 0, mask: mask ?? ALL_BITS } }),
    ...((flags & FIB_RULE_INVERT) !== 0 && { invert: true }),
    ...(protocol !== 0 && { protocol }),
    ...(unwritten && { unwritten }),
  });
}

/** Whether no packet passes the rule by. */
export function isForAll(rule: PolicyRule): boolean {
  return rule.from === undefined && rule.mark === undefined && rule.invert !== true && rule.unwritten !== true;
}

function body(writer: NetlinkWriter, rule: PolicyRule): void {
  if (rule.unwritten === true) throw new RangeError("Cannot encode a rule of which not everything is known");
  writer.octets(addressFamily(rule.family), 0, rule.from?.length ?? 0, 0);
  writer.octets(TABLE_IN_ATTRIBUTE, 0, 0, FR_ACT_TO_TBL);
  writer.u32(rule.invert === true ? FIB_RULE_INVERT : 0);
  writer.attrU32(FRA_PRIORITY, rule.priority);
  writer.attrU32(FRA_TABLE, rule.table);
  if (rule.from !== undefined) writer.attrBytes(FRA_SRC, ipBytes(rule.from.address));
  if (rule.mark !== undefined) {
    writer.attrU32(FRA_FWMARK, rule.mark.value);
    writer.attrU32(FRA_FWMASK, rule.mark.mask);
  }
  if (rule.protocol !== undefined) writer.attrU8(FRA_PROTOCOL, rule.protocol);
  writer.endMessage();
}
