import { errorCode } from "../base/errors.ts";
import type { Family } from "../base/ip.ts";
import {
  decodeRule,
  encodeRuleAdd,
  encodeRuleDelete,
  encodeRuleDump,
  type PolicyRule,
} from "../wire/rtnetlink-rule.ts";
import type { EncodeRequest, NetlinkSocket } from "./netlink-socket.ts";

/**
 * The rules that lead to a table.
 * @param route a NETLINK_ROUTE socket, here and below
 */
export function listRules(route: NetlinkSocket, family: Family): readonly PolicyRule[] {
  const encode: EncodeRequest = (writer, sequence) => encodeRuleDump(writer, sequence, family);
  try {
    return route.request(`list IPv${family} rules`, encode, decodeRule);
  } catch (error) {
    // A kernel that is built without the family.
    if (errorCode(error) === "EAFNOSUPPORT") return [];
    throw error;
  }
}

/** @throws SelvedgeError EEXIST when it is there */
export function addRule(route: NetlinkSocket, rule: PolicyRule): void {
  route.request(`add ${ruleText(rule)}`, (writer, sequence) => encodeRuleAdd(writer, sequence, rule));
}

/** @throws SelvedgeError ENOENT when it is not there */
export function deleteRule(route: NetlinkSocket, rule: PolicyRule): void {
  route.request(`delete ${ruleText(rule)}`, (writer, sequence) => encodeRuleDelete(writer, sequence, rule));
}

/** For a person. */
export function ruleText(rule: PolicyRule): string {
  return `IPv${rule.family} rule ${rule.priority} to table ${rule.table}`;
}
