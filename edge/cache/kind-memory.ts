import type { ObjectKey } from "../../src/network/service.ts";
import type { CachePlan, Digested, KindState, KnownObject, Tombstone } from "./plan.ts";

/** Deletions remembered for one kind; the oldest goes first. An authoritative list clears them. */
export const TOMBSTONES_MAX = 10_000;

/** What is known of one kind, brought forward by plans. */
export class KindMemory implements KindState {
  readonly objects = new Map<ObjectKey, KnownObject>();
  readonly tombstones = new Map<ObjectKey, Tombstone>();
  trustedVersion: string | undefined;
  heldDeletions = 0;

  /** @returns the tombstones that had to make room */
  apply<T extends Digested>(plan: CachePlan<T>): readonly ObjectKey[] {
    for (const { key, uid, resourceVersion, value } of [...plan.put, ...plan.touch]) {
      if (value === undefined) continue;
      this.objects.set(key, { uid, resourceVersion, digest: value.digest });
      this.tombstones.delete(key);
    }
    for (const key of plan.drop) this.objects.delete(key);
    if (plan.exhume) this.tombstones.clear();
    for (const [key, tombstone] of plan.bury) {
      this.tombstones.delete(key);
      this.tombstones.set(key, tombstone);
    }
    this.trustedVersion = plan.trustedVersion;
    this.heldDeletions = plan.heldDeletions;
    return this.#shed();
  }

  /**
   * Another source counts versions anew: what was learnt from the last one's no longer orders anything. Without its
   * digest an object is written again at the next list, so that the old version goes from the disk too.
   */
  forgetVersions(): void {
    for (const key of this.objects.keys()) this.objects.set(key, { uid: "", resourceVersion: "", digest: "" });
    this.tombstones.clear();
    this.trustedVersion = undefined;
    this.heldDeletions = 0;
  }

  /** What is on disk is not certain any more: without its digest an object is written again at the next list. */
  forgetContents(): void {
    for (const [key, known] of this.objects) this.objects.set(key, { ...known, digest: "" });
  }

  #shed(): readonly ObjectKey[] {
    const surplus = Math.max(0, this.tombstones.size - TOMBSTONES_MAX);
    const shed = [...this.tombstones.keys().take(surplus)];
    for (const key of shed) this.tombstones.delete(key);
    return shed;
  }
}
