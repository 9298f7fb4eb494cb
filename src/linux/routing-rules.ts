import { errorCode } from "../base/errors.ts";
import type { Family } from "../base/ip.ts";
import type { PolicyRule } from "../wire/rtnetlink-rule.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";
import { planRoutingRules, type WantedRule } from "./routing-rules-plan.ts";
import { addRule, deleteRule, listRules, ruleText } from "./rules.ts";

/**
 * Gives the tables these rules of ours, each unless another program's does the same already, and no others.
 *
 * @param route a NETLINK_ROUTE socket, here and below
 * @param tables whose rules are ours to manage
 * @returns changes that were made: 0 when all was as it should be
 * @throws SelvedgeError with an errno's name
 */
export function applyRoutingRules(
  route: NetlinkSocket,
  wanted: readonly WantedRule[],
  tables: readonly number[],
  families: readonly Family[] = [4, 6],
): number {
  const own = wanted.filter((rule) => families.includes(rule.family));
  const plan = planRoutingRules(own, observeRules(route, families), tables);
  // Who made the same between our look and now has spared us the work; a kernel without the family has no packets of it.
  for (const rule of plan.add) unless(["EEXIST", "EAFNOSUPPORT"], () => addRule(route, rule));
  for (const rule of plan.remove) unless(["ENOENT"], () => deleteRule(route, rule));
  return plan.add.length + plan.remove.length;
}

/**
 * For a clean-up command.
 *
 * @param dryRun only look
 * @returns what was removed, or would be, for a person
 */
export function removeRoutingRules(
  route: NetlinkSocket,
  tables: readonly number[],
  dryRun: boolean,
  families: readonly Family[] = [4, 6],
): readonly string[] {
  const { remove } = planRoutingRules([], observeRules(route, families), tables);
  if (!dryRun) for (const rule of remove) unless(["ENOENT"], () => deleteRule(route, rule));
  return remove.map(ruleText);
}

function observeRules(route: NetlinkSocket, families: readonly Family[]): readonly PolicyRule[] {
  return families.flatMap((family) => listRules(route, family));
}

function unless(codes: readonly string[], change: () => void): void {
  try {
    change();
  } catch (error) {
    if (!codes.includes(errorCode(error))) throw error;
  }
}
