import type { ObjectKey } from "../network/service.ts";
import type { ListWatchEvent, Observed, Rejected } from "./list-watch-event.ts";
import type { ObjectIdentity } from "./objects/metadata.ts";
import { compareResourceVersions } from "./resource-version.ts";
import { isSuspicious } from "./shrinkage.ts";

/** An object that is of use to us, as it was last seen. */
export interface Stored<T> extends ObjectIdentity {
  readonly value: T;
}

/** Both undefined is not: the object came, went, or says something else than before. */
export interface StoreChange<T> {
  readonly key: ObjectKey;
  readonly before: Stored<T> | undefined;
  readonly now: Stored<T> | undefined;
}

/** Rejected objects that are kept by name, for people and conditions; beyond it they are only counted. */
const REJECTED_MAX = 1000;

/**
 * One kind's objects in memory, as list–watch events add up. A list that says the same as before changes nothing; one
 * that suddenly lacks most objects deletes nothing until the next one says so again; an object that can no longer be
 * read keeps its last good value.
 */
export class ObjectStore<T> {
  readonly #objects = new Map<ObjectKey, Stored<T>>();
  readonly #rejected = new Map<ObjectKey, Rejected>();
  readonly #same: (a: T, b: T) => boolean;
  #synced = false;
  #heldDeletions = 0;
  #listCount = 0;

  /** @param same whether two values mean the same; deep equality unless told */
  constructor(same: (a: T, b: T) => boolean = sameValue) {
    this.#same = same;
  }

  /** Whether a list has been taken whole: before, what is absent is only not known. */
  get synced(): boolean {
    return this.#synced;
  }

  /** How many deletions wait for a second list to confirm them. */
  get heldDeletions(): number {
    return this.#heldDeletions;
  }

  /** How many lists there have been. */
  get listCount(): number {
    return this.#listCount;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Objects that cannot be read, and why. */
  get rejected(): ReadonlyMap<ObjectKey, Rejected> {
    return this.#rejected;
  }

  get(key: ObjectKey): Stored<T> | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<Stored<T>> {
    return this.#objects.values();
  }

  /** @returns what it changes, in the order of the event */
  apply(event: ListWatchEvent<T>): readonly StoreChange<T>[] {
    switch (event.type) {
      case "list":
        return this.#list(event.items, event.rejected);
      case "upsert":
        return this.#isLate(event.object) ? [] : this.#put(event.object);
      case "delete":
        return this.#delete(event.object);
      case "rejected":
        this.#reject(event.rejected);
        return [];
      case "state":
        return [];
    }
  }

  /**
   * Takes the object that a write of ours left behind, before the watch shows it: so that what is planned in between
   * sees it, and does not write it again.
   */
  wrote(object: Observed<T>): void {
    if (!this.#isLate(object)) this.#put(object);
  }

  #list(items: readonly Observed<T>[], rejected: readonly Rejected[]): readonly StoreChange<T>[] {
    const present = new Set<ObjectKey | undefined>([...items, ...rejected].map((object) => object.key));
    // An object that has no name to us may be any of those that we know: then nothing is known to be gone.
    const absent = present.has(undefined) ? [] : [...this.#objects.keys()].filter((key) => !present.has(key));
    const held = this.#heldDeletions === 0 && isSuspicious(this.#objects.size, absent.length, present.size);
    this.#heldDeletions = held ? absent.length : 0;
    this.#listCount += 1;
    this.#rejected.clear();
    for (const one of rejected) this.#reject(one);
    const changes = items.flatMap((object) => this.#put(object));
    if (!held) {
      this.#synced = true;
      changes.push(...absent.flatMap((key) => this.#drop(key)));
    }
    return changes;
  }

  #put(object: Observed<T>): StoreChange<T>[] {
    const { key, uid, resourceVersion, value } = object;
    this.#rejected.delete(key);
    if (value === undefined) return this.#drop(key);
    const before = this.#objects.get(key);
    const same = before !== undefined && before.uid === uid && this.#same(before.value, value);
    // The old value stays where nothing is new: it has its place in the heap already.
    const now: Stored<T> = { key, uid, resourceVersion, value: same ? before.value : value };
    this.#objects.set(key, now);
    return same ? [] : [{ key, before, now }];
  }

  #delete(deleted: ObjectIdentity): readonly StoreChange<T>[] {
    const known = this.#objects.get(deleted.key);
    // The deletion of an earlier object of that name, told after we have seen (or written) the next one.
    const another = known !== undefined && known.uid !== "" && deleted.uid !== "" && known.uid !== deleted.uid;
    if (another && !isOlder(known.resourceVersion, deleted.resourceVersion)) return [];
    this.#rejected.delete(deleted.key);
    return this.#drop(deleted.key);
  }

  #drop(key: ObjectKey): StoreChange<T>[] {
    const before = this.#objects.get(key);
    return this.#objects.delete(key) ? [{ key, before, now: undefined }] : [];
  }

  #reject(rejected: Rejected): void {
    if (rejected.key === undefined) return;
    if (this.#rejected.size < REJECTED_MAX || this.#rejected.has(rejected.key))
      this.#rejected.set(rejected.key, rejected);
  }

  #isLate({ key, uid, resourceVersion }: Observed<T>): boolean {
    const known = this.#objects.get(key);
    return known !== undefined && known.uid === uid && isOlder(resourceVersion, known.resourceVersion);
  }
}

export function sameValue(a: unknown, b: unknown): boolean {
  return Bun.deepEquals(a, b, true);
}

function isOlder(version: string, than: string): boolean {
  const order = compareResourceVersions(version, than);
  return order !== undefined && order < 0;
}
