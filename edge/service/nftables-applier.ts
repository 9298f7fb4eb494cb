import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import type { Family } from "../../src/base/ip.ts";
import type { Nftables } from "../../src/linux/nftables.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import { NetlinkWriter } from "../../src/wire/netlink-writer.ts";
import { NftBatch } from "../../src/wire/nftables-batch.ts";
import type { SetElement } from "../../src/wire/nftables-element.ts";
import { forgetClients, forgetLateClients, forgetStrangers, observeForgotten } from "./affinity-purge.ts";
import type { ServiceApplier } from "./applier.ts";
import { type Frontend, frontendId } from "./frontend.ts";
import { type SetName, TABLE } from "./ruleset.ts";
import {
  changeTable,
  type Layout,
  planLayout,
  type RulesetSettings,
  replaceTable,
  settingElements,
} from "./ruleset-batch.ts";
import { type RulesetChange, RulesetModel, type VanishedBackend } from "./ruleset-model.ts";
import { compareTable, type ObservedTable, observeSlots, observeTable } from "./ruleset-observation.ts";
import { backendId } from "./slots.ts";

/** The kernel may change under a comparison of everything; so often in a row it does not. */
const COMPARE_ATTEMPTS = 5;

/** What some thousand services take; the buffer grows where there are more. */
const FULL_LOAD_BYTES = 512 * 1024;

type UntoldChange = Pick<RulesetChange, "changed" | "vanished">;

interface Found {
  readonly generation: number;
  /** In the order of the layouts. */
  readonly tables: readonly (ObservedTable | undefined)[];
}

export interface NftablesApplierOptions {
  /** Those that the kernel has: some are built without IPv6. */
  readonly families: readonly Family[];
  /** Read anew on every resync: bridges come and go. */
  readonly settings: () => RulesetSettings;
  /** What follows a transaction and is none of nftables' business: see stale-connections.ts. */
  readonly onChanged: (changed: readonly Frontend[], vanished: readonly VanishedBackend[]) => void;
  /** Called with the seconds that each transaction took, planning left out. */
  readonly onCommit: (elapsedSeconds: number) => void;
  readonly now: () => number;
  /** Called before a transaction so large that nobody in this process should listen to the kernel's events meanwhile. */
  readonly onLargeCommit: () => void;
}

/**
 * The kernel tells whoever listens of every single element, inside the transaction: 40,000 elements then take 1.2 s
 * instead of 50 ms. Below this, about a thousand elements, it is some milliseconds.
 */
const LARGE_COMMIT_BYTES = 64 * 1024;

/**
 * Services in the kernel's nftables.
 *
 * Changes are written as the few elements that differ. Everything is compared only when that is needed: at the start,
 * when somebody else's transaction may have touched our tables, and after a failure. Then the difference is written,
 * or, where the rules themselves are not ours any more, both tables anew in one transaction: until it succeeds, what
 * was there goes on working.
 */
export class NftablesApplier implements ServiceApplier {
  readonly #nft: Nftables;
  readonly #options: NftablesApplierOptions;
  readonly #model = new RulesetModel();
  /** For changes; a full load has megabytes, which are not kept. */
  readonly #writer = new NetlinkWriter();
  /** Demand chains that the kernel has; undefined while we do not know what it has. */
  #chains: ReadonlyMap<Family, Set<string>> | undefined;
  /** Of our last transaction, when nobody else's came since. */
  #generation: number | undefined;
  #settings: RulesetSettings;
  #layouts: readonly Layout[];
  #started = false;
  /** What `onChanged` has not been told yet: a transaction that fails leaves it for the one that succeeds. */
  #untold: UntoldChange | undefined;

  constructor(nft: Nftables, options: NftablesApplierOptions) {
    this.#nft = nft;
    this.#options = options;
    this.#settings = options.settings();
    this.#layouts = this.#planLayouts();
  }

  async apply(changes: ReadonlyMap<ObjectKey, readonly Frontend[]>): Promise<void> {
    if (this.#started) {
      const change = this.#model.change(changes);
      this.#note(change);
      if (this.#chains === undefined) this.#compare();
      else this.#change(change, this.#chains);
    } else this.#start(changes);
    this.#tell();
  }

  async resync(): Promise<void> {
    const settings = this.#options.settings();
    if (JSON.stringify(settings) !== JSON.stringify(this.#settings)) {
      this.#settings = settings;
      this.#layouts = this.#planLayouts();
      this.#chains = undefined;
    }
    if (this.#chains === undefined || this.#nft.generation() !== this.#generation) this.#compare();
    this.#tell();
    if (this.#chains !== undefined) this.#dropUnusedChains(this.#chains);
  }

  async close(): Promise<void> {
    this.#nft.close();
  }

  #start(changes: ReadonlyMap<ObjectKey, readonly Frontend[]>): void {
    let found: Found | undefined;
    let change: RulesetChange;
    try {
      found = this.#observe();
    } finally {
      // Whatever the kernel says, we know from here on what is wanted: a resync brings it about.
      this.#started = true;
      change = this.#model.change(changes, observeSlots(found?.tables ?? []));
      this.#note(change);
    }
    if (found.tables.every((table) => table === undefined)) this.#create(found.generation, change);
    else this.#compare(found);
  }

  #note(change: RulesetChange): void {
    this.#untold = this.#untold === undefined ? change : mergeChanges(this.#untold, change);
  }

  /** Only now, as connections that end before the kernel has the change are made again to where they were. */
  #tell(): void {
    if (this.#untold !== undefined) this.#options.onChanged(this.#untold.changed, this.#untold.vanished);
    this.#untold = undefined;
  }

  #change(change: RulesetChange, chains: ReadonlyMap<Family, Set<string>>): void {
    const vanished = change.vanished.filter((v) => v.frontend.affinitySeconds !== undefined);
    const batch = new NftBatch(this.#writer);
    batch.begin();
    for (const layout of this.#layouts) {
      const table = change.tables.get(layout.family);
      if (table === undefined) continue;
      const there = chains.get(layout.family);
      const newChains = table.newChains.filter((chain) => !there?.has(chain));
      changeTable(batch, layout, { ...table, newChains });
      if (vanished.length > 0) forgetClients(batch, layout, observeForgotten(this.#nft, layout, vanished));
    }
    try {
      this.#commit("change services", batch, this.#generation);
    } catch (error) {
      this.#chains = undefined;
      // The kernel is not in the state that the difference was made for: everything is looked at again, once.
      this.#compare(this.#observe(), error);
      return;
    }
    for (const layout of this.#layouts) {
      for (const chain of change.tables.get(layout.family)?.newChains ?? []) chains.get(layout.family)?.add(chain);
      if (vanished.length > 0) forgetLateClients(this.#nft, layout, vanished);
    }
  }

  #planLayouts(): readonly Layout[] {
    return this.#options.families.map((family) => planLayout(family, this.#settings));
  }

  /** The quick way to the first tables: the change is all that there is. */
  #create(generation: number, change: RulesetChange): void {
    const batch = new NftBatch(new NetlinkWriter(FULL_LOAD_BYTES));
    batch.begin();
    const chains = new Map<Family, Set<string>>();
    for (const layout of this.#layouts) {
      const { newChains, adds } = change.tables.get(layout.family) ?? { newChains: [], adds: new Map() };
      replaceTable(batch, layout, newChains, [...adds, ...settingElements(layout.family, this.#settings)]);
      chains.set(layout.family, new Set(newChains));
    }
    this.#commit("load the services", batch, generation);
    this.#chains = chains;
  }

  #observe(): Found {
    const generation = this.#nft.generation();
    return { generation, tables: this.#layouts.map((layout) => observeTable(this.#nft, layout)) };
  }

  /**
   * Writes what differs; when the kernel refuses that, everything anew, once.
   *
   * @param cause of the failure that makes us look
   */
  #compare(first = this.#observe(), cause?: unknown): void {
    this.#chains = undefined;
    let found = first;
    let failure = cause;
    for (let attempt = 1; ; attempt++) {
      try {
        this.#writeDifference(found);
        for (const layout of this.#layouts) forgetStrangers(this.#nft, layout, this.#model.frontends());
        return;
      } catch (error) {
        const outrun = errorCode(error) === "NFT_OUTRUN";
        if (attempt === COMPARE_ATTEMPTS || (!outrun && found.tables.every((table) => table === undefined))) {
          throw withCause(error, failure);
        }
        found = this.#observe();
        // What was read did not fit what is there: the kernel's tables may have grown while they were read.
        if (!outrun) found = { ...found, tables: found.tables.map(() => undefined) };
        failure ??= error;
      }
    }
  }

  #writeDifference({ generation, tables }: Found): void {
    const chains = new Map<Family, Set<string>>();
    const batch = new NftBatch(new NetlinkWriter(FULL_LOAD_BYTES));
    batch.begin(generation);
    for (const [i, layout] of this.#layouts.entries()) {
      const wanted = this.#model.wanted(layout.family);
      const elements = new Map<SetName, readonly SetElement[]>([
        ...wanted.elements,
        ...settingElements(layout.family, this.#settings),
      ]);
      const observed = tables[i];
      if (observed === undefined) replaceTable(batch, layout, wanted.chains, elements);
      else changeTable(batch, layout, compareTable(observed, wanted.chains, elements));
      chains.set(layout.family, new Set([...wanted.chains, ...(observed?.demandChains ?? [])]));
    }
    if (batch.size === 0) this.#generation = generation;
    else this.#commit("write the services", batch, generation);
    this.#chains = chains;
  }

  /** Kernels before 6.2 let go of a chain some time after the last element that led to it: so never in one go. */
  #dropUnusedChains(chains: ReadonlyMap<Family, Set<string>>): void {
    for (const { family } of this.#layouts) {
      const there = chains.get(family) ?? new Set();
      const used = new Set(this.#model.chains(family));
      for (const chain of [...there].filter((name) => !used.has(name))) {
        const batch = new NftBatch(this.#writer);
        batch.begin();
        batch.deleteChain(family, TABLE, chain);
        try {
          this.#commit(`remove chain ${chain}`, batch, this.#generation);
        } catch (error) {
          if (errorCode(error) === "EBUSY") continue;
          this.#chains = undefined;
          throw error;
        }
        there.delete(chain);
      }
    }
  }

  /** @param generation that the kernel had before, if we know that it did */
  #commit(what: string, batch: NftBatch, generation: number | undefined): void {
    if (batch.size === 0) return;
    if (batch.sizeBytes > LARGE_COMMIT_BYTES) this.#options.onLargeCommit();
    const start = this.#options.now();
    this.#nft.commit(what, batch);
    this.#options.onCommit((this.#options.now() - start) / 1000);
    const now = this.#nft.generation();
    this.#generation = generation !== undefined && now === generation + 1 ? now : undefined;
  }
}

function withCause(error: unknown, cause: unknown): unknown {
  if (cause === undefined || !(error instanceof SelvedgeError) || error.cause !== undefined) return error;
  const { code, blame, retry, hint } = error;
  return new SelvedgeError(error.message, { code, blame, retry, ...(hint === undefined ? {} : { hint }), cause });
}

/** Each frontend and each endpoint once, however long it takes until the kernel accepts them. */
function mergeChanges(before: UntoldChange, after: UntoldChange): UntoldChange {
  const changed = new Map<string, Frontend>();
  for (const frontend of [...before.changed, ...after.changed]) changed.set(frontendId(frontend), frontend);
  const vanished = new Map<string, VanishedBackend>();
  for (const one of [...before.vanished, ...after.vanished]) {
    vanished.set(`${frontendId(one.frontend)} ${backendId(one.backend)}`, one);
  }
  return { changed: [...changed.values()], vanished: [...vanished.values()] };
}
