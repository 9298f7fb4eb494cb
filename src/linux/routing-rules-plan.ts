import { formatPrefix } from "../base/ip.ts";
import type { PolicyRule } from "../wire/rtnetlink-rule.ts";
import { FABRIC_PROTOCOL } from "./routing-table-plan.ts";

/** "Packets of these look into this table before they look into the main one." */
export type WantedRule = Omit<PolicyRule, "protocol" | "unwritten">;

export interface RoutingRulesPlan {
  readonly add: readonly PolicyRule[];
  /** Ours, and not wanted, or there twice: deleted after the rest. */
  readonly remove: readonly PolicyRule[];
}

/** RT_TABLE_MAIN's rule: what comes after it is asked only where the main table has no answer. */
const MAIN_PRIORITY = 32_766;

/**
 * A rule that is wanted is added when nobody's does what it is for; charon has one for the table of the peers' pods, and
 * leaves it out for its own marked packets. Of ours, exactly those stay that are wanted.
 *
 * @param tables whose rules are ours to manage
 */
export function planRoutingRules(
  wanted: readonly WantedRule[],
  observed: readonly PolicyRule[],
  tables: readonly number[],
): RoutingRulesPlan {
  const own = observed.filter((rule) => rule.protocol === FABRIC_PROTOCOL && tables.includes(rule.table));
  const foreign = observed.filter((rule) => rule.protocol !== FABRIC_PROTOCOL);
  const kept = new Set<PolicyRule>();
  const add: PolicyRule[] = [];
  for (const rule of wanted) {
    const present = own.find((other) => ruleKey(other) === ruleKey(rule) && !kept.has(other));
    if (present !== undefined) kept.add(present);
    else if (!foreign.some((other) => serves(other, rule))) add.push({ ...rule, protocol: FABRIC_PROTOCOL });
  }
  return { add, remove: own.filter((rule) => !kept.has(rule)) };
}

/** Whether the packets that the wanted rule is for look into its table anyway. */
function serves(rule: PolicyRule, wanted: WantedRule): boolean {
  const { family, table, priority, from, mark, invert, unwritten } = rule;
  if (family !== wanted.family || table !== wanted.table || priority >= MAIN_PRIORITY) return false;
  if (unwritten === true || fromText(from) !== fromText(wanted.from)) return false;
  if (mark === undefined) return invert !== true;
  // "not from all fwmark X": all but the marked ones, which are charon's own.
  return invert === true && from === undefined && mark.value !== 0;
}

function ruleKey({ family, priority, table, from, mark, invert }: WantedRule): string {
  const marked = mark === undefined ? "" : `${mark.value}/${mark.mask}`;
  return [family, priority, table, fromText(from), marked, invert === true].join(" ");
}

function fromText(from: PolicyRule["from"]): string {
  return from === undefined ? "all" : formatPrefix(from);
}
