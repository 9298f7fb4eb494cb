import type { Family } from "../../src/base/ip.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import { elementId, elementValue, type SetElement } from "../../src/wire/nftables-element.ts";
import { type Backend, type Frontend, frontendId } from "./frontend.ts";
import { planDemandChain, type SetName } from "./ruleset.ts";
import { type EmitElement, type PlacedFrontend, planElements, SHARED_SETS } from "./ruleset-elements.ts";
import { assignSlots, backendId } from "./slots.ts";

/** What has to be done to one table, in this order. */
export interface TableChange {
  readonly newChains: readonly string[];
  readonly deletes: ReadonlyMap<SetName, readonly SetElement[]>;
  readonly adds: ReadonlyMap<SetName, readonly SetElement[]>;
}

/** An endpoint that a frontend no longer has, for new callers or for all: what remembers it has to forget it. */
export interface VanishedBackend {
  readonly frontend: Frontend;
  readonly backend: Backend;
}

export interface RulesetChange {
  readonly tables: ReadonlyMap<Family, TableChange>;
  readonly vanished: readonly VanishedBackend[];
  /** The services' frontends as they are now; those that are gone have no endpoints. */
  readonly changed: readonly Frontend[];
}

/** The slots that the kernel has for a frontend, to keep them when we take over. */
export type KnownSlots = (frontend: Frontend) => Pick<PlacedFrontend, "slots" | "localSlots"> | undefined;

/**
 * What the tables should contain, and what has to change in them when services change. It knows nothing of the kernel:
 * after a transaction that failed it still says what is wanted.
 */
export class RulesetModel {
  readonly #services = new Map<ObjectKey, readonly PlacedFrontend[]>();
  readonly #tables: ReadonlyMap<Family, TableModel> = new Map([
    [4, new TableModel(4)],
    [6, new TableModel(6)],
  ]);

  /** @param changes services with all frontends that they own now */
  change(changes: ReadonlyMap<ObjectKey, readonly Frontend[]>, known: KnownSlots = () => undefined): RulesetChange {
    const before = new Map<string, PlacedFrontend>();
    for (const key of changes.keys()) {
      for (const placed of this.#services.get(key) ?? []) before.set(frontendId(placed.frontend), placed);
    }
    const vanished: VanishedBackend[] = [];
    const changed: Frontend[] = [];
    for (const [key, frontends] of changes) {
      const now: PlacedFrontend[] = [];
      for (const frontend of frontends) {
        const old = takeFrom(before, frontend);
        const placed = place(frontend, old ?? known(frontend));
        now.push(placed);
        this.#tables.get(frontend.family)?.replace(old, placed);
        if (old !== undefined) pushVanished(vanished, old, placed);
        changed.push(frontend);
      }
      if (now.length === 0) this.#services.delete(key);
      else this.#services.set(key, now);
    }
    for (const old of before.values()) {
      this.#tables.get(old.frontend.family)?.replace(old, undefined);
      pushVanished(vanished, old, undefined);
      changed.push({ ...old.frontend, backends: [], externalBackends: undefined, serving: [] });
    }
    return { tables: new Map(Array.from(this.#tables, ([family, t]) => [family, t.take()])), vanished, changed };
  }

  /** The chains, of those that come and go, that something leads to. */
  chains(family: Family): readonly string[] {
    return this.#tables.get(family)?.chains() ?? [];
  }

  *frontends(): Generator<PlacedFrontend> {
    for (const placed of this.#services.values()) yield* placed;
  }

  /** Everything that the family's table should contain. */
  wanted(family: Family): { readonly chains: readonly string[]; readonly elements: Map<SetName, SetElement[]> } {
    const elements = new Map<SetName, SetElement[]>();
    const seen = new Map(Array.from(SHARED_SETS, (set) => [set, new Set<string>()]));
    const emit: EmitElement = (set, element) => {
      const ids = seen.get(set);
      const id = ids === undefined ? "" : elementId(element);
      if (ids?.has(id)) return;
      ids?.add(id);
      push(elements, set, element);
    };
    for (const placed of this.frontends()) if (placed.frontend.family === family) planElements(placed, emit);
    return { chains: this.chains(family), elements };
  }
}

function takeFrom(before: Map<string, PlacedFrontend>, frontend: Frontend): PlacedFrontend | undefined {
  if (before.size === 0) return undefined;
  const id = frontendId(frontend);
  const placed = before.get(id);
  before.delete(id);
  return placed;
}

const NOBODY: readonly Backend[] = [];

function place(frontend: Frontend, before: Pick<PlacedFrontend, "slots" | "localSlots"> | undefined): PlacedFrontend {
  return {
    frontend,
    slots: assignSlots(before?.slots ?? NOBODY, frontend.backends),
    localSlots: assignSlots(before?.localSlots ?? NOBODY, frontend.externalBackends ?? NOBODY),
  };
}

function pushVanished(vanished: VanishedBackend[], old: PlacedFrontend, now: PlacedFrontend | undefined): void {
  // A frontend whose affinity ends, or that goes, forgets everybody. So does one whose externalTrafficPolicy changes:
  // clients from outside are bound to endpoints on other nodes, which answer them past the translation.
  const isLocal = (placed: PlacedFrontend) => placed.frontend.externalBackends !== undefined;
  const forgets =
    old.frontend.affinitySeconds !== undefined &&
    (now?.frontend.affinitySeconds === undefined || isLocal(old) !== isLocal(now));
  const left = new Set([...(now?.slots ?? []), ...(now?.localSlots ?? [])].map(backendId));
  const seen = new Set<string>();
  const push = (backends: readonly Backend[], stays: (id: string) => boolean) => {
    for (const backend of backends) {
      const id = backendId(backend);
      if (seen.has(id) || stays(id)) continue;
      seen.add(id);
      vanished.push({ frontend: old.frontend, backend });
    }
  };
  push([...old.slots, ...old.localSlots], (id) => left.has(id) && !forgets);
  // No new callers came to it any more, but those of UDP that it had stayed until now.
  const serving = new Set((now?.frontend.serving ?? []).map(backendId));
  push(old.frontend.serving, (id) => left.has(id) || serving.has(id));
}

interface RulesetElement {
  readonly set: SetName;
  readonly element: SetElement;
}

/** Counts who wants what, so that shared elements and chains come with the first and go with the last. */
class TableModel {
  readonly #family: Family;
  readonly #shared = new Map(Array.from(SHARED_SETS, (set) => [set, new Map<string, number>()]));
  readonly #chains = new Map<string, number>();
  #newChains: string[] = [];
  #adds = new Map<SetName, SetElement[]>();
  #deletes: RulesetElement[] = [];
  readonly #add: EmitElement = (set, element) => {
    const { verdict } = element;
    if (verdict !== undefined && "chain" in verdict) this.#use(verdict.chain);
    const counts = this.#shared.get(set);
    if (counts === undefined || increment(counts, elementId(element)) === 1) push(this.#adds, set, element);
  };

  constructor(family: Family) {
    this.#family = family;
  }

  chains(): readonly string[] {
    return [...this.#chains.keys()];
  }

  replace(old: PlacedFrontend | undefined, now: PlacedFrontend | undefined): void {
    if (old === undefined) {
      if (now !== undefined) planElements(now, this.#add);
      return;
    }
    const left = new Map<string, RulesetElement>();
    planElements(old, (set, element) => left.set(identity(set, element), { set, element }));
    if (now !== undefined) {
      planElements(now, (set, element) => {
        if (!left.delete(identity(set, element))) this.#add(set, element);
      });
    }
    this.#deletes.push(...left.values());
  }

  /** What `replace` gathered. Deletions count last, so that what moves between frontends stays. */
  take(): TableChange {
    const deletes = new Map<SetName, SetElement[]>();
    for (const { set, element } of this.#deletes) {
      const { verdict } = element;
      if (verdict !== undefined && "chain" in verdict) decrement(this.#chains, verdict.chain);
      const counts = this.#shared.get(set);
      if (counts === undefined || decrement(counts, elementId(element)) === 0) push(deletes, set, element);
    }
    const newChains = this.#newChains.filter((chain) => this.#chains.has(chain));
    const adds = this.#adds;
    this.#adds = new Map();
    this.#deletes = [];
    this.#newChains = [];
    return { newChains, adds, deletes };
  }

  #use(chain: string): void {
    if (!this.#chains.has(chain) && planDemandChain(this.#family, chain) === undefined) return;
    if (increment(this.#chains, chain) === 1) this.#newChains.push(chain);
  }
}

function identity(set: SetName, element: SetElement): string {
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
