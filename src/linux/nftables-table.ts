import { errorCode } from "../base/errors.ts";
import type { NftChain, TableFamily } from "../wire/nftables.ts";
import { type ChainHook, HOOKS, NftBatch } from "../wire/nftables-batch.ts";
import { elementValue, type SetElement } from "../wire/nftables-element.ts";
import type { Expression } from "../wire/nftables-expression.ts";
import { elementUnits } from "../wire/nftables-range.ts";
import { isSameRule } from "../wire/nftables-rule-match.ts";
import type { SetSpec } from "../wire/nftables-set.ts";
import type { Nftables } from "./nftables.ts";

/** The kernel may change under a comparison; so often in a row it does not. */
const COMPARE_ATTEMPTS = 5;

export interface ChainSpec {
  readonly name: string;
  readonly hook?: ChainHook;
  readonly rules: readonly (readonly Expression[])[];
}

/** A table with rules that stay and sets whose elements come and go. */
export interface TableSpec {
  readonly family: TableFamily;
  readonly name: string;
  /** What `nft list` says of it, at most 100 bytes. */
  readonly comment: string;
  readonly sets: readonly SetSpec[];
  /** Each before those that lead to it. */
  readonly chains: readonly ChainSpec[];
}

/** Elements by the name of their set. */
export type TableElements = ReadonlyMap<string, readonly SetElement[]>;

interface Change {
  readonly set: SetSpec;
  readonly deletes: readonly SetElement[];
  readonly adds: readonly SetElement[];
}

/**
 * Keeps one table as it is planned: elements one by one, and where a rule, chain or set is not the planned one, the
 * whole table anew in one transaction. What others do to it is seen by the generation and undone.
 */
export class KeptTable {
  readonly #nft: Nftables;
  #kept: { readonly plan: string; readonly generation: number } | undefined;
  /** The text of a plan that was made last: those who only ask again have not made another one. */
  #planned: { readonly spec: TableSpec; readonly elements: TableElements; readonly text: string } | undefined;

  /** @param nft which is the caller's to close */
  constructor(nft: Nftables) {
    this.#nft = nft;
  }

  /**
   * @returns whether anything had to be changed
   * @throws SelvedgeError with the errno's name: the table is then as it was
   */
  keep(spec: TableSpec, elements: TableElements): boolean {
    const plan = this.#textOf(spec, elements);
    for (let attempt = 1; ; attempt++) {
      const generation = this.#nft.generation();
      if (this.#kept?.plan === plan && this.#kept.generation === generation) return false;
      const batch = new NftBatch();
      batch.begin(generation);
      const observed = observe(this.#nft, spec);
      if (observed === undefined) replace(batch, spec, elements);
      else for (const change of compare(spec, observed, elements)) write(batch, spec, change);
      const changed = batch.size > 0;
      try {
        this.#nft.commit(`write nftables table ${spec.name}`, batch);
      } catch (error) {
        if (errorCode(error) !== "NFT_OUTRUN" || attempt === COMPARE_ATTEMPTS) throw error;
        continue;
      }
      // Somebody else's transaction right after ours leaves a larger number, and the next call looks again.
      this.#kept = { plan, generation: changed ? generation + 1 : generation };
      return changed;
    }
  }

  #textOf(spec: TableSpec, elements: TableElements): string {
    if (this.#planned?.spec !== spec || this.#planned.elements !== elements) {
      this.#planned = { spec, elements, text: planText(spec, elements) };
    }
    return this.#planned.text;
  }
}

/** @returns whether there is, or was, one. @param dryRun only look */
export function removeTable(nft: Nftables, family: TableFamily, name: string, dryRun: boolean): boolean {
  if (!nft.tables().some((table) => table.family === family && table.name === name)) return false;
  const batch = new NftBatch();
  batch.begin();
  batch.deleteTable(family, name);
  if (!dryRun) nft.commit(`remove nftables table ${name}`, batch);
  return true;
}

/** @returns undefined when it is not there, or not to the last rule as planned */
function observe(nft: Nftables, spec: TableSpec): TableElements | undefined {
  const { family, name } = spec;
  if (!nft.tables().some((table) => table.family === family && table.name === name)) return undefined;
  const chains = nft.allChains(family).filter((chain) => chain.table === name);
  if (
    chains.length !== spec.chains.length ||
    !spec.chains.every((chain) => chains.some((c) => isSameChain(chain, c)))
  ) {
    return undefined;
  }
  const setNames = spec.sets.map((set) => set.name);
  if (!sameNames(nft.sets(family, name), setNames)) return undefined;
  const rules = Map.groupBy(nft.rules(family, name), (rule) => rule.chain);
  const asPlanned = spec.chains.every((chain) => {
    const actual = rules.get(chain.name) ?? [];
    return (
      chain.rules.length === actual.length &&
      chain.rules.every((rule, i) => isSameRule(rule, actual[i]?.expressions ?? new Uint8Array()))
    );
  });
  if (!asPlanned) return undefined;
  return new Map(spec.sets.map((set) => [set.name, nft.elements(family, name, set)]));
}

function isSameChain({ name, hook }: ChainSpec, actual: NftChain): boolean {
  const { base } = actual;
  if (name !== actual.name || hook === undefined || base === undefined) return name === actual.name && hook === base;
  const { type, priority } = hook;
  return base.type === type && base.hook === HOOKS[hook.hook] && base.priority === priority && !base.dropsByDefault;
}

function compare(spec: TableSpec, observed: TableElements, wanted: TableElements): readonly Change[] {
  return spec.sets
    .filter((set) => set.dynamic === undefined)
    .map((set) => {
      const ranges = set.interval === true && set.key.length === 1;
      const left = new Map(elementUnits(observed.get(set.name) ?? [], ranges));
      const adds: SetElement[] = [];
      for (const [id, elements] of elementUnits(wanted.get(set.name) ?? [], ranges)) {
        const there = left.get(id);
        if (there !== undefined && valuesOf(there) === valuesOf(elements)) left.delete(id);
        else adds.push(...elements);
      }
      return { set, adds, deletes: [...left.values()].flat() };
    });
}

function valuesOf(elements: readonly SetElement[]): string {
  return elements.map(elementValue).join(" ");
}

/** Deletions first, so that values can change. */
function write(batch: NftBatch, { family, name }: TableSpec, { set, deletes, adds }: Change): void {
  batch.deleteElements(family, name, set, deletes);
  batch.addElements(family, name, set, adds);
}

/** A new table with everything in it, in the place of the one that may be there. */
function replace(batch: NftBatch, spec: TableSpec, elements: TableElements): void {
  const { family, name, comment, sets, chains } = spec;
  // Made first where there is none, so that there is one to delete.
  batch.addTable(family, name, comment);
  batch.deleteTable(family, name);
  batch.addTable(family, name, comment);
  for (const set of sets) batch.addSet(family, name, set);
  for (const chain of chains) batch.addChain(family, name, chain.name, chain.hook);
  for (const chain of chains) for (const rule of chain.rules) batch.addRule(family, name, chain.name, rule);
  for (const set of sets) batch.addElements(family, name, set, elements.get(set.name) ?? []);
}

function planText(spec: TableSpec, elements: TableElements): string {
  return JSON.stringify([spec, [...elements]], (_, value) => (value instanceof Uint8Array ? [...value] : value));
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && b.every((name) => a.includes(name));
}
