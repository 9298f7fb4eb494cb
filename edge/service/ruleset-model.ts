import type { Family } from "../../src/base/ip.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { SetElement } from "../../src/wire/nftables-element.ts";
import type { Backend, Frontend } from "./frontend.ts";
import { frontendId } from "./frontend-registry.ts";
import { planDemandChain, type SetName } from "./ruleset.ts";
import {
  elementId,
  elementValue,
  type PlacedFrontend,
  planElements,
  type RulesetElement,
  SHARED_SETS,
} from "./ruleset-elements.ts";
import { assignSlots, backendId } from "./slots.ts";

/** What has to be done to one table, in this order. */
export interface TableChange {
  readonly newChains: readonly string[];
  readonly deletes: ReadonlyMap<SetName, readonly SetElement[]>;
  readonly adds: ReadonlyMap<SetName, readonly SetElement[]>;
}

/** An endpoint that a frontend no longer has: what remembers it has to forget it. */
export interface VanishedBackend {
  readonly frontend: Frontend;
  readonly backend: Backend;
}

export interface RulesetChange {
  readonly tables: ReadonlyMap<Family, TableChange>;
  readonly vanished: readonly VanishedBackend[];
  /** Frontends that have endpoints now and had none, or were not there. */
  readonly opened: readonly Frontend[];
}

/** The slots that the kernel has for a frontend, to keep them when we take over. */
export type KnownSlots = (id: string) => Pick<PlacedFrontend, "slots" | "localSlots"> | undefined;

/**
 * What the tables should contain, and what has to change in them when services change. It knows nothing of the kernel:
 * after a transaction that failed it still says what is wanted.
 */
export class RulesetModel {
  readonly #placed = new Map<string, PlacedFrontend>();
  readonly #services = new Map<ObjectKey, readonly string[]>();
  readonly #tables: ReadonlyMap<Family, TableModel> = new Map([
    [4, new TableModel(4)],
    [6, new TableModel(6)],
  ]);

  /** @param changes services with all frontends that they own now */
  change(changes: ReadonlyMap<ObjectKey, readonly Frontend[]>, known: KnownSlots = () => undefined): RulesetChange {
    const before = new Map<string, PlacedFrontend>();
    for (const key of changes.keys()) {
      for (const id of this.#services.get(key) ?? []) {
        const placed = this.#placed.get(id);
        if (placed !== undefined) before.set(id, placed);
      }
    }
    const vanished: VanishedBackend[] = [];
    const opened: Frontend[] = [];
    for (const [key, frontends] of changes) {
      const ids = frontends.map(frontendId);
      if (ids.length === 0) this.#services.delete(key);
      else this.#services.set(key, ids);
      for (const [i, frontend] of frontends.entries()) {
        const id = ids[i] ?? "";
        const old = before.get(id);
        before.delete(id);
        const placed = place(frontend, old ?? known(id));
        this.#placed.set(id, placed);
        this.#tables.get(frontend.family)?.replace(old, placed);
        if (old !== undefined) pushVanished(vanished, old, placed);
        if (placed.slots.length > 0 && (old === undefined || old.slots.length === 0)) opened.push(frontend);
      }
    }
    for (const [id, old] of before) {
      this.#placed.delete(id);
      this.#tables.get(old.frontend.family)?.replace(old, undefined);
      pushVanished(vanished, old, undefined);
    }
    return { tables: new Map(Array.from(this.#tables, ([family, t]) => [family, t.take()])), vanished, opened };
  }

  frontends(): Iterable<PlacedFrontend> {
    return this.#placed.values();
  }

  /** Everything that the family's table should contain. */
  wanted(family: Family): { readonly chains: readonly string[]; readonly elements: Map<SetName, SetElement[]> } {
    const elements = new Map<SetName, SetElement[]>();
    const seen = new Set<string>();
    for (const placed of this.#placed.values()) {
      if (placed.frontend.family !== family) continue;
      for (const { set, element } of planElements(placed)) {
        if (SHARED_SETS.has(set)) {
          const id = `${set} ${elementId(element)}`;
          if (seen.has(id)) continue;
          seen.add(id);
        }
        push(elements, set, element);
      }
    }
    return { chains: this.#tables.get(family)?.chains() ?? [], elements };
  }
}

function place(frontend: Frontend, before: Pick<PlacedFrontend, "slots" | "localSlots"> | undefined): PlacedFrontend {
  return {
    frontend,
    slots: assignSlots(before?.slots ?? [], frontend.backends),
    localSlots: assignSlots(before?.localSlots ?? [], frontend.externalBackends ?? []),
  };
}

function pushVanished(vanished: VanishedBackend[], old: PlacedFrontend, now: PlacedFrontend | undefined): void {
  // A frontend whose affinity ends, or that goes, forgets everybody.
  const forgets = old.frontend.affinitySeconds !== undefined && now?.frontend.affinitySeconds === undefined;
  const left = new Set([...(now?.slots ?? []), ...(now?.localSlots ?? [])].map(backendId));
  const seen = new Set<string>();
  for (const backend of [...old.slots, ...old.localSlots]) {
    const id = backendId(backend);
    if (seen.has(id) || (left.has(id) && !forgets)) continue;
    seen.add(id);
    vanished.push({ frontend: old.frontend, backend });
  }
}

/** Counts who wants what, so that shared elements and chains come with the first and go with the last. */
class TableModel {
  readonly #family: Family;
  readonly #shared = new Map<string, number>();
  readonly #chains = new Map<string, number>();
  #adds: RulesetElement[] = [];
  #deletes: RulesetElement[] = [];

  constructor(family: Family) {
    this.#family = family;
  }

  chains(): readonly string[] {
    return [...this.#chains.keys()];
  }

  replace(old: PlacedFrontend | undefined, now: PlacedFrontend | undefined): void {
    const before = old === undefined ? [] : planElements(old);
    const after = now === undefined ? [] : planElements(now);
    if (before.length === 0 || after.length === 0) {
      for (const item of after) this.#adds.push(item);
      for (const item of before) this.#deletes.push(item);
      return;
    }
    const left = new Map(before.map((item) => [identity(item), item]));
    for (const item of after) if (!left.delete(identity(item))) this.#adds.push(item);
    for (const item of left.values()) this.#deletes.push(item);
  }

  /** What `replace` gathered. Additions count before deletions, so that what moves between frontends stays. */
  take(): TableChange {
    const adds = new Map<SetName, SetElement[]>();
    const deletes = new Map<SetName, SetElement[]>();
    const newChains: string[] = [];
    for (const { set, element } of this.#adds) {
      this.#use(element, newChains);
      if (!SHARED_SETS.has(set) || increment(this.#shared, `${set} ${elementId(element)}`) === 1)
        push(adds, set, element);
    }
    for (const { set, element } of this.#deletes) {
      if (element.verdict !== undefined && element.verdict.kind !== "drop")
        decrement(this.#chains, element.verdict.chain);
      if (!SHARED_SETS.has(set) || decrement(this.#shared, `${set} ${elementId(element)}`) === 0) {
        push(deletes, set, element);
      }
    }
    this.#adds = [];
    this.#deletes = [];
    return { newChains: newChains.filter((chain) => this.#chains.has(chain)), adds, deletes };
  }

  #use(element: SetElement, newChains: string[]): void {
    const { verdict } = element;
    if (verdict === undefined || verdict.kind === "drop") return;
    if (!this.#chains.has(verdict.chain) && planDemandChain(this.#family, verdict.chain) === undefined) return;
    if (increment(this.#chains, verdict.chain) === 1) newChains.push(verdict.chain);
  }
}

function identity({ set, element }: RulesetElement): string {
  return `${set} ${elementId(element)} : ${elementValue(element)}`;
}

function push(into: Map<SetName, SetElement[]>, set: SetName, element: SetElement): void {
  const list = into.get(set);
  if (list === undefined) into.set(set, [element]);
  else list.push(element);
}

function increment(counts: Map<string, number>, key: string): number {
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}

/** @returns what is left; counts that nobody raised stay 0 */
function decrement(counts: Map<string, number>, key: string): number {
  const count = (counts.get(key) ?? 0) - 1;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
  return count;
}
