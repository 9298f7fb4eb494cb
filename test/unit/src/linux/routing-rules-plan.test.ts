import { describe, expect, test } from "bun:test";
import { planRoutingRules, type WantedRule } from "../../../../src/linux/routing-rules-plan.ts";
import type { PolicyRule } from "../../../../src/wire/rtnetlink-rule.ts";
import { prefix } from "../../../support/network-objects.ts";

const ALL: WantedRule = { family: 4, priority: 220, table: 220 };
const PODS: WantedRule = { family: 4, priority: 221, table: 221, from: prefix("10.1.2.0/24") };
const CHARON: PolicyRule = { ...ALL, mark: { value: 0x42, mask: 0xffffffff }, invert: true };
const TABLES = [220, 221];
const ours = (rule: WantedRule): PolicyRule => ({ ...rule, protocol: 83 });

describe("rules that lead to the fabric's tables", () => {
  test("are added as ours, and nothing is done twice", () => {
    const added = planRoutingRules([ALL, PODS], [], TABLES);
    expect(added).toEqual({ add: [ours(ALL), ours(PODS)], remove: [] });
    expect(planRoutingRules([ALL, PODS], added.add, TABLES)).toEqual({ add: [], remove: [] });
  });

  test("never pile up, whatever an earlier run left", () => {
    const left = [ours(ALL), ours(ALL), ours({ ...ALL, priority: 219 }), ours(PODS)];
    expect(planRoutingRules([ALL], left, TABLES)).toEqual({ add: [], remove: left.slice(1) });
  });

  test.each<readonly [string, PolicyRule, boolean]>([
    ["charon's, which leaves its own packets out", CHARON, true],
    ["a plain one", ALL, true],
    ["one of another priority before the main table", { ...ALL, priority: 1000 }, true],
    ["one behind the main table", { ...ALL, priority: 32_767 }, false],
    ["one of the other family", { ...ALL, family: 6 }, false],
    ["one to another table", { ...ALL, table: 221 }, false],
    ["one for marked packets", { ...CHARON, invert: false }, false],
    ["one for some packets", { ...ALL, unwritten: true }, false],
    ["one for packets from a prefix", { ...PODS, table: 220 }, false],
    ["one for none at all", { ...ALL, invert: true }, false],
  ])("are left to another program that has %s, if that does the same", (_, foreign, same) => {
    expect(planRoutingRules([ALL], [foreign], TABLES).add).toEqual(same ? [] : [ours(ALL)]);
    expect(planRoutingRules([ALL], [foreign], TABLES).remove).toEqual([]);
  });

  test("stay ours where another program makes its own beside them", () => {
    expect(planRoutingRules([ALL], [CHARON, ours(ALL)], TABLES)).toEqual({ add: [], remove: [] });
  });

  test("of other tables are nobody's business here", () => {
    const elsewhere = ours({ family: 6, priority: 32_800, table: 1094 });
    expect(planRoutingRules([], [elsewhere], TABLES).remove).toEqual([]);
  });
});
