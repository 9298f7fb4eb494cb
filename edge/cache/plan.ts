import type { ListWatchEvent, Observed } from "../../src/kube/list-watch-event.ts";
import { compareResourceVersions } from "../../src/kube/resource-version.ts";
import { isSuspicious } from "../../src/kube/shrinkage.ts";
import type { ObjectKey } from "../../src/network/service.ts";

/** What is remembered of an object, beside its content. */
export interface KnownObject {
  readonly uid: string;
  readonly resourceVersion: string;
  /** Of the content that we read: two objects with the same digest say the same to us. */
  readonly digest: string;
}

/** A deletion that was seen, so that a source which forgot it cannot bring the object back. */
export interface Tombstone {
  readonly uid: string;
  readonly resourceVersion: string;
}

export interface KindState {
  readonly objects: ReadonlyMap<ObjectKey, KnownObject>;
  readonly tombstones: ReadonlyMap<ObjectKey, Tombstone>;
  /** The version of the last authoritative list: an object that is older and not in `objects` was deleted. */
  readonly trustedVersion: string | undefined;
  /** An authoritative list wanted to delete suspiciously much; the next one decides. */
  readonly heldDeletions: number;
}

/** Anything that a digest can be read from. */
export interface Digested {
  readonly digest: string;
}

export interface CachePlan<T> {
  /** New objects and changed content. */
  readonly put: readonly Observed<T>[];
  /** The same content under a new version: nothing for anybody else to see. */
  readonly touch: readonly Observed<T>[];
  readonly drop: readonly ObjectKey[];
  readonly bury: readonly (readonly [ObjectKey, Tombstone])[];
  /** All tombstones go: an authoritative list has said what is and what is not. */
  readonly exhume: boolean;
  readonly trustedVersion: string | undefined;
  readonly heldDeletions: number;
}

/**
 * What an event changes.
 *
 * @param replays whether the source brings deleted objects back (metaServer), so that deletions are remembered
 * @param confirms whether a list comes late enough after one that was not believed to confirm it
 */
export function planEvent<T extends Digested>(
  state: KindState,
  event: ListWatchEvent<T>,
  replays: boolean,
  confirms = true,
): CachePlan<T> {
  switch (event.type) {
    case "list":
      return event.authoritative
        ? planTrustedList(state, event, confirms)
        : planObjects(
            state,
            event.items.filter((object) => !isStale(state, object)),
          );
    case "upsert": {
      const ignored = event.origin === "live" ? isLate(state, event.object, replays) : isStale(state, event.object);
      return planObjects(state, ignored ? [] : [event.object]);
    }
    case "delete":
      return planDelete(state, event.object, replays);
    case "rejected":
    case "state":
      return planObjects<T>(state, []);
  }
}

function planTrustedList<T extends Digested>(
  state: KindState,
  { items, rejected, resourceVersion }: Extract<ListWatchEvent<T>, { type: "list" }>,
  confirms: boolean,
): CachePlan<T> {
  const plan = planObjects(state, items);
  const present = new Set<ObjectKey | undefined>([...items, ...rejected].map((object) => object.key));
  // An object that has no name to us may be any of those that we know: then nothing is known to be gone.
  const absent = present.has(undefined) ? [] : [...state.objects.keys()].filter((key) => !present.has(key));
  const believed = state.heldDeletions > 0 && confirms;
  if (!believed && isSuspicious(state.objects.size, absent.length, present.size)) {
    return { ...plan, heldDeletions: absent.length };
  }
  return {
    ...plan,
    drop: [...plan.drop, ...absent],
    exhume: state.tombstones.size > 0,
    trustedVersion: resourceVersion,
    heldDeletions: 0,
  };
}

/** Takes objects as they are, comparing their content only. */
function planObjects<T extends Digested>(state: KindState, objects: readonly Observed<T>[]): CachePlan<T> {
  const put: Observed<T>[] = [];
  const touch: Observed<T>[] = [];
  const drop: ObjectKey[] = [];
  for (const object of objects) {
    const known = state.objects.get(object.key);
    if (object.value === undefined) {
      if (known !== undefined) drop.push(object.key);
    } else if (known?.digest !== object.value.digest) {
      put.push(object);
    } else if (known.resourceVersion !== object.resourceVersion || known.uid !== object.uid) {
      touch.push(object);
    }
  }
  const { trustedVersion, heldDeletions } = state;
  return { put, touch, drop, bury: [], exhume: false, trustedVersion, heldDeletions };
}

/** Whether what a source has stored is older than what we know: a ghost, or a row that missed an update. */
function isStale<T>(state: KindState, object: Observed<T>): boolean {
  const known = state.objects.get(object.key);
  if (known !== undefined) return isOlder(object.resourceVersion, known.resourceVersion);
  return isBuried(state, object) || isLeftOut(state, object);
}

/**
 * Whether a live event comes after one that is newer, of the same object. What metaServer replays after a pause looks live,
 * too; of its true news, none is as old as the last trusted list.
 */
function isLate<T>(state: KindState, object: Observed<T>, replays: boolean): boolean {
  const known = state.objects.get(object.key);
  if (known === undefined) return isBuried(state, object) || (replays && isLeftOut(state, object));
  return known.uid === object.uid && isOlder(object.resourceVersion, known.resourceVersion);
}

/** Of an object that is not known: whether the last trusted list would have named it. */
function isLeftOut<T>({ trustedVersion }: KindState, object: Observed<T>): boolean {
  if (trustedVersion === undefined) return false;
  const order = compareResourceVersions(object.resourceVersion, trustedVersion);
  return order !== undefined && order <= 0;
}

function isBuried<T>(state: KindState, object: Observed<T>): boolean {
  const tombstone = state.tombstones.get(object.key);
  if (tombstone === undefined) return false;
  const order = compareResourceVersions(object.resourceVersion, tombstone.resourceVersion);
  return order === undefined ? object.uid === tombstone.uid : order <= 0;
}

function isOlder(version: string, than: string): boolean {
  const order = compareResourceVersions(version, than);
  return order !== undefined && order < 0;
}

function planDelete<T extends Digested>(
  state: KindState,
  deleted: { readonly key: ObjectKey; readonly uid: string; readonly resourceVersion: string },
  replays: boolean,
): CachePlan<T> {
  const known = state.objects.get(deleted.key);
  const nothing = planObjects<T>(state, []);
  // The deletion of an earlier object of that name, which we did not get to see.
  const another = known !== undefined && known.uid !== "" && deleted.uid !== "" && known.uid !== deleted.uid;
  if (another && !isOlder(known.resourceVersion, deleted.resourceVersion)) return nothing;
  return {
    ...nothing,
    drop: known === undefined ? [] : [deleted.key],
    bury: replays ? [[deleted.key, tombstoneOf(known, deleted)]] : [],
  };
}

function tombstoneOf(known: KnownObject | undefined, deleted: Tombstone): Tombstone {
  const uid = deleted.uid === "" ? (known?.uid ?? "") : deleted.uid;
  // metaServer's DELETED may carry the version of when the object was last stored.
  const newer = known !== undefined && isOlder(deleted.resourceVersion || "0", known.resourceVersion);
  return { uid, resourceVersion: newer ? known.resourceVersion : deleted.resourceVersion };
}
