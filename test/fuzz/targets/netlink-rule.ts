import { makePrefix } from "../../../src/base/ip.ts";
import { decodeRule, encodeRuleAdd, type PolicyRule } from "../../../src/wire/rtnetlink-rule.ts";
import { messageOf, PAYLOAD_BYTES, written } from "../netlink-payload.ts";
import { hold, holdSame, refused, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: PAYLOAD_BYTES,
  form: "little-endian",
  run: (input) => {
    const decoded = decodeRule(messageOf(input));
    if (!decoded.ok) return refused(decoded.error, input);
    if (decoded.value === undefined) return "passed over";
    check(decoded.value);
    return decoded.value.unwritten === true ? "a rule for packets that are not described" : "a rule";
  },
};

function check(rule: PolicyRule): void {
  const { priority, table, from } = rule;
  hold(priority >= 0 && table >= 0, "a negative number");
  if (from !== undefined) holdSame(makePrefix(from.address, from.length), from, "host bits in a prefix");
  if (rule.unwritten === true) return;
  const again = decodeRule(messageOf(written((writer) => encodeRuleAdd(writer, 1, rule))));
  holdSame(unwrap(again, "what was read"), rule, "read, written and read again");
}
