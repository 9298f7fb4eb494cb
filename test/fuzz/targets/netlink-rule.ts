import { decodeRule, encodeRuleAdd, type PolicyRule } from "../../../src/wire/rtnetlink-rule.ts";
import { payloadTarget } from "../netlink-payload.ts";
import { hold } from "../property.ts";

export const target = payloadTarget<PolicyRule>(
  decodeRule,
  ({ priority, table }) => hold(priority >= 0 && table >= 0, "a negative number"),
  (writer, rule) => encodeRuleAdd(writer, 1, rule),
);
