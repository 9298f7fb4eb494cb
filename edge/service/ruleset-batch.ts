import type { Family, Ip } from "../../src/base/ip.ts";
import type { NftBatch } from "../../src/wire/nftables-batch.ts";
import type { SetElement } from "../../src/wire/nftables-element.ts";
import { outermost, rangeElements } from "../../src/wire/nftables-range.ts";
import {
  type ChainSpec,
  planChains,
  planDemandChain,
  planSets,
  type RulesetOptions,
  type SetName,
  TABLE,
} from "./ruleset.ts";
import type { TableChange } from "./ruleset-model.ts";

/** What the ruleset depends on besides the services. */
export interface RulesetSettings extends RulesetOptions {
  readonly linkAddresses: readonly Ip[];
  /** Indexes of the bridges whose own traffic does not pass netfilter. */
  readonly bridges: readonly number[];
}

/** The rules and sets of one table, and how it says which layout it has. */
export interface Layout {
  readonly family: Family;
  readonly sets: Readonly<Record<SetName, ReturnType<typeof planSets>[SetName]>>;
  readonly chains: readonly ChainSpec[];
  readonly comment: string;
}

export function planLayout(family: Family, options: RulesetOptions): Layout {
  const sets = planSets(family);
  const chains = planChains(family, options);
  // Demand chains are part of the layout too: one of each shape stands for all.
  const demand = ["lb-1", "lb-1-affinity", "local-1-affinity", "local-0", "remember-1"].flatMap((name) =>
    [name, `node-${name}`].map((n) => planDemandChain(family, n)),
  );
  const digest = fnv1a(JSON.stringify([sets, chains, demand], (_, v) => (v instanceof Uint8Array ? [...v] : v)));
  return { family, sets, chains, comment: `Selvedge services, layout ${digest.toString(16).padStart(8, "0")}` };
}

/** The elements that do not come from services. */
export function settingElements(
  family: Family,
  settings: RulesetSettings,
): ReadonlyMap<SetName, readonly SetElement[]> {
  return new Map<SetName, readonly SetElement[]>([
    [
      "link-addresses",
      settings.linkAddresses.filter((ip) => ip.includes(":") === (family === 6)).map((ip) => ({ key: [ip] })),
    ],
    ["bridges", settings.bridges.map((index) => ({ key: [index, index] }))],
    ["cluster-cidrs", outermost(settings.clusterCidrs, family).flatMap((prefix) => [...rangeElements(prefix)])],
  ]);
}

/** A new table with everything in it, in the place of the one that may be there. */
export function replaceTable(
  batch: NftBatch,
  layout: Layout,
  demandChains: readonly string[],
  elements: Iterable<readonly [SetName, readonly SetElement[]]>,
  table = TABLE,
): void {
  const { family } = layout;
  // Made first where there is none, so that there is one to delete.
  batch.addTable(family, table, layout.comment);
  batch.deleteTable(family, table);
  batch.addTable(family, table, layout.comment);
  for (const set of Object.values(layout.sets)) batch.addSet(family, table, set);
  addChains(batch, family, table, [...layout.chains, ...demandSpecs(family, demandChains)]);
  for (const [set, list] of elements) batch.addElements(family, table, layout.sets[set], list);
}

/** Chains first, so that the elements may lead to them; deletions before additions, so that values can change. */
export function changeTable(batch: NftBatch, layout: Layout, change: TableChange): void {
  const { family, sets } = layout;
  addChains(batch, family, TABLE, demandSpecs(family, change.newChains));
  for (const [set, elements] of change.deletes) batch.deleteElements(family, TABLE, sets[set], elements);
  for (const [set, elements] of change.adds) batch.addElements(family, TABLE, sets[set], elements);
}

function demandSpecs(family: Family, names: readonly string[]): readonly ChainSpec[] {
  return names.map((name) => planDemandChain(family, name)).filter((chain) => chain !== undefined);
}

function addChains(batch: NftBatch, family: Family, table: string, chains: readonly ChainSpec[]): void {
  for (const chain of chains) batch.addChain(family, table, chain.name, chain.hook);
  for (const chain of chains) for (const rule of chain.rules) batch.addRule(family, table, chain.name, rule);
}

/** FNV-1a, 32 bits: to tell layouts apart, not to withstand anybody. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}
