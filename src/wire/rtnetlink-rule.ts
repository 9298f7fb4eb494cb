import type { Family } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { type NetlinkMessage, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST } from "./netlink.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";
import { addressFamily, CHANGE, familyOf, shortPayload, TABLE_IN_ATTRIBUTE } from "./rtnetlink.ts";

/** "All packets look into this table", at its place among the other rules. */
export interface PolicyRule {
  readonly family: Family;
  /** The smaller one is asked first. */
  readonly priority: number;
  readonly table: number;
}

const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
const RTM_GETRULE = 34;

/** struct fib_rule_hdr: u8 family, dst_len, src_len, tos, table, res1, res2, action; u32 flags. */
const RULE_HEADER_LENGTH = 12;
const FR_ACT_TO_TBL = 1;
const FIB_RULE_INVERT = 2;

/** linux/fib_rules.h */
const FRA_PRIORITY = 6;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_PROTOCOL = 21;

/** Attributes that narrow no packet down; any other makes it a rule for some packets only. */
const UNSELECTIVE: ReadonlySet<number> = new Set([FRA_PRIORITY, FRA_TABLE, FRA_PROTOCOL, FRA_SUPPRESS_PREFIXLEN]);
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

export function encodeRuleDelete(writer: NetlinkWriter, sequence: number, rule: PolicyRule): void {
  writer.beginMessage(RTM_DELRULE, CHANGE, sequence);
  body(writer, rule);
}

/** Rules that choose among packets, or do something else than look into a table, are undefined. */
export function decodeRule({ payload }: NetlinkMessage): Result<PolicyRule | undefined, DecodeError> {
  if (payload.length < RULE_HEADER_LENGTH) return shortPayload(payload, RULE_HEADER_LENGTH);
  const [familyNumber = 0, toLength = 0, fromLength = 0, tos = 0, shortTable = 0, , , action = 0, flags = 0] = payload;
  const family = familyOf(familyNumber);
  let priority = 0;
  let table = shortTable;
  let selective = toLength + fromLength + tos > 0 || (flags & FIB_RULE_INVERT) !== 0;
  const attributes = new AttributeReader(payload, RULE_HEADER_LENGTH);
  while (attributes.next()) {
    if (attributes.type === FRA_PRIORITY) priority = attributes.u32();
    else if (attributes.type === FRA_TABLE) table = attributes.u32();
    else if (attributes.type === FRA_SUPPRESS_PREFIXLEN) selective ||= attributes.u32() !== SUPPRESS_NOTHING;
    selective ||= !UNSELECTIVE.has(attributes.type);
  }
  if (attributes.fault !== undefined) return fail(attributes.fault);
  if (family === undefined || selective || action !== FR_ACT_TO_TBL) return ok(undefined);
  return ok({ family, priority, table });
}

function body(writer: NetlinkWriter, rule: PolicyRule): void {
  writer.octets(addressFamily(rule.family), 0, 0, 0);
  writer.octets(TABLE_IN_ATTRIBUTE, 0, 0, FR_ACT_TO_TBL);
  writer.u32(0);
  writer.attrU32(FRA_PRIORITY, rule.priority);
  writer.attrU32(FRA_TABLE, rule.table);
  writer.endMessage();
}
