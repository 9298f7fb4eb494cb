import type { Nftables } from "../../src/linux/nftables.ts";
import { elementId, elementValue, type SetElement } from "../../src/wire/nftables-element.ts";
import { isSameRule } from "../../src/wire/nftables-rule-match.ts";
import type { Backend } from "./frontend.ts";
import { LOCAL_SLOT_OFFSET, planDemandChain, type SetName, TABLE } from "./ruleset.ts";
import type { Layout } from "./ruleset-batch.ts";
import { PROTOCOL_NUMBERS } from "./ruleset-elements.ts";
import type { KnownSlots, TableChange } from "./ruleset-model.ts";

/** What is read from the kernel: everything but the writing. */
export type NftReader = Pick<Nftables, "tables" | "chains" | "sets" | "rules" | "elements">;

/** One of our tables as the kernel has it. */
export interface ObservedTable {
  /** Chains that come and go with the services. */
  readonly demandChains: readonly string[];
  readonly elements: ReadonlyMap<SetName, readonly SetElement[]>;
}

/** Sets that rules fill: what is in them is nobody's plan. */
const LEARNED: ReadonlySet<string> = new Set<SetName>(["affinity", "node-affinity", "dns-clients", "dns-rates"]);

/** @returns undefined when it is not there, or is not of this layout to the last rule: then only a new one will do */
export function observeTable(nft: NftReader, layout: Layout): ObservedTable | undefined {
  const table = nft.tables().find((t) => t.family === layout.family && t.name === TABLE);
  if (table === undefined || readComment(table.userdata) !== layout.comment) return undefined;
  const demandChains = observeDemandChains(nft, layout);
  if (demandChains === undefined) return undefined;

  const sets = Object.entries(layout.sets) as readonly [SetName, Layout["sets"][SetName]][];
  if (!sameNames(nft.sets(layout.family, TABLE), Object.keys(layout.sets))) return undefined;
  const elements = new Map<SetName, readonly SetElement[]>();
  for (const [name, spec] of sets) {
    if (!LEARNED.has(name)) elements.set(name, nft.elements(layout.family, TABLE, spec));
  }
  return { demandChains, elements };
}

/** @returns undefined when a chain is missing, is not ours, or a rule in one is not as planned */
function observeDemandChains(nft: NftReader, layout: Layout): readonly string[] | undefined {
  const names = nft.chains(layout.family, TABLE);
  const fixed = new Map(layout.chains.map((chain) => [chain.name, chain]));
  const rules = Map.groupBy(nft.rules(layout.family, TABLE), (rule) => rule.chain);
  if (!layout.chains.every((chain) => names.includes(chain.name))) return undefined;
  for (const name of names) {
    const spec = fixed.get(name) ?? planDemandChain(layout.family, name);
    const actual = rules.get(name) ?? [];
    if (spec === undefined || spec.rules.length !== actual.length) return undefined;
    if (!spec.rules.every((rule, i) => isSameRule(rule, actual[i]?.expressions ?? new Uint8Array()))) return undefined;
  }
  return names.filter((name) => !fixed.has(name));
}

/** What makes of the table that is the one that is wanted. */
export function compareTable(
  observed: ObservedTable,
  wantedChains: readonly string[],
  wanted: ReadonlyMap<SetName, readonly SetElement[]>,
): TableChange {
  const adds = new Map<SetName, SetElement[]>();
  const deletes = new Map<SetName, SetElement[]>();
  for (const [set, actual] of observed.elements) {
    const left = new Map(actual.map((element) => [elementId(element), element]));
    const missing: SetElement[] = [];
    for (const element of wanted.get(set) ?? []) {
      const id = elementId(element);
      const there = left.get(id);
      if (there !== undefined && elementValue(there) === elementValue(element)) left.delete(id);
      else missing.push(element);
    }
    if (missing.length > 0) adds.set(set, missing);
    if (left.size > 0) deletes.set(set, [...left.values()]);
  }
  return { newChains: wantedChains.filter((chain) => !observed.demandChains.includes(chain)), deletes, adds };
}

/** Which endpoint has which number now, so that taking over changes nothing. */
export function observeSlots(tables: readonly (ObservedTable | undefined)[]): KnownSlots {
  const known = new Map<string, { slots: Backend[]; localSlots: Backend[] }>();
  for (const table of tables) {
    for (const set of ["endpoints", "node-endpoints"] as const) {
      for (const { key, data } of table?.elements.get(set) ?? []) {
        const slot = Number(key.at(-1));
        const [address, port] = data ?? [];
        if (typeof address !== "string" || typeof port !== "number") continue;
        const id = slotsKey(typeof key[0] === "string" ? key[0] : `node-port ${address.includes(":")}`, key);
        const entry = known.get(id) ?? { slots: [], localSlots: [] };
        known.set(id, entry);
        if (slot >= LOCAL_SLOT_OFFSET) entry.localSlots[slot - LOCAL_SLOT_OFFSET] = { address, port, local: false };
        else entry.slots[slot] = { address, port, local: false };
      }
    }
  }
  if (known.size === 0) return () => undefined;
  return ({ address, family, protocol, port }) =>
    known.get(slotsKey(address ?? `node-port ${family === 6}`, [PROTOCOL_NUMBERS[protocol], port, 0]));
}

/** @param key ends in protocol, port and slot */
function slotsKey(where: string, key: readonly (string | number)[]): string {
  return `${where} ${key.at(-3)} ${key.at(-2)}`;
}

function readComment(userdata: Uint8Array): string {
  // Type and length, the text, and the NUL that ends it.
  return userdata[0] === 0 ? new TextDecoder().decode(userdata.subarray(2, 1 + (userdata[1] ?? 0))) : "";
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && b.every((name) => a.includes(name));
}
