import type { SelvedgeError } from "../../src/base/errors.ts";
import type { ListWatchEvent, Rejected } from "../../src/kube/list-watch-event.ts";
import { type ObjectDecoder, parseJsonText } from "../../src/kube/object-reader.ts";
import { KINDS } from "../../src/kube/objects/kinds.ts";
import type { ObjectChange, ObjectKind, ObjectValues } from "../../src/network/object-change.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import { type CachedObject, cachedObjectDecoder, type Judge } from "./cached-object.ts";
import { KindMemory } from "./kind-memory.ts";
import type { PendingWrites } from "./pending-writes.ts";
import { planEvent } from "./plan.ts";
import type { StoredObject, StoredTombstone, Watermark } from "./stored-state.ts";

/** Rejected objects that are kept by name, for people; beyond it they are only counted. */
export const REJECTED_MAX = 100;

/** As many as a list may have (src/kube/list.ts): what comes one by one adds up to no more. */
export const OBJECTS_MAX = 50_000;

/** What there is to tell about one kind. */
export interface KindStatus {
  readonly kind: ObjectKind;
  readonly objectCount: number;
  readonly tombstoneCount: number;
  /** Whether the cloud answers for this kind. */
  readonly connected: boolean;
  readonly error: SelvedgeError | undefined;
  /** The source gives what stands for this kind, and not this kind: it is not counted as missing. */
  readonly withheld: boolean;
  /** Whether a list that was the cloud's word was taken whole, in this run and since the file was last put right. */
  readonly trusted: boolean;
  /** Wall time in milliseconds since 1970 of the last list that was the cloud's word, over restarts. */
  readonly lastTrustedList: number | undefined;
  /** Since the cloud last answered; 0 while it does, undefined when it never has. */
  readonly stalenessSeconds: number | undefined;
  /** Deletions that wait for a second list to confirm them. */
  readonly heldDeletions: number;
  readonly rejectedCount: number;
  /** At most REJECTED_MAX. */
  readonly rejected: readonly Rejected[];
}

/** One kind of the cache: its memory, what has to be written of it, and what there is to tell about it. */
export class KindCache<K extends ObjectKind> {
  readonly kind: K;
  readonly decoder: ObjectDecoder<CachedObject<K>>;
  readonly #pending: PendingWrites;
  readonly #wall: () => number;
  readonly #digest: (text: string) => string;
  /** Of EndpointSlices only. */
  withheld = false;
  readonly #memory = new KindMemory();
  readonly #rejected = new Map<ObjectKey, Rejected>();
  #rejectedCount = 0;
  #connected = false;
  #error: SelvedgeError | undefined;
  #trusted = false;
  #lastTrustedList: number | undefined;
  /** Wall time of when the cloud was last known to answer. */
  #lastContact: number | undefined;

  constructor(kind: K, pending: PendingWrites, wall: () => number, digest: (text: string) => string, judge?: Judge<K>) {
    this.kind = kind;
    this.decoder = cachedObjectDecoder(kind, digest, judge);
    this.#pending = pending;
    this.#wall = wall;
    this.#digest = digest;
  }

  /** Takes an object from disk. @returns undefined when this program cannot read it: it is taken off the disk */
  restore(stored: StoredObject): ObjectChange | undefined {
    const { key, uid, resourceVersion, body } = stored;
    const value = KINDS[this.kind].parse(parseJsonText(body));
    if (!value.ok || value.value === undefined) {
      this.#pending.dropObject(this.kind, key);
      return undefined;
    }
    this.#memory.objects.set(key, { uid, resourceVersion, digest: this.#digest(body) });
    return this.#change(key, value.value);
  }

  restoreTombstone({ key, uid, resourceVersion }: StoredTombstone): void {
    this.#memory.tombstones.set(key, { uid, resourceVersion });
  }

  restoreWatermark({ trustedVersion, listedAt }: Watermark): void {
    this.#memory.trustedVersion = trustedVersion;
    this.#lastTrustedList = listedAt;
    this.#lastContact = listedAt;
  }

  /** The versions that are known were another source's. */
  forgetVersions(): void {
    this.#pending.exhume(this.kind, this.#memory.tombstones.keys());
    this.#memory.forgetVersions();
  }

  /** The disk may have lost some: all are written again as the source names them, which it has not done from here on. */
  forgetContents(): void {
    this.#memory.forgetContents();
    this.#trusted = false;
  }

  /** As of {@link planEvent}. @returns what changes for everybody else, which for most events is nothing */
  apply(event: ListWatchEvent<CachedObject<K>>, replays: boolean, confirms = true): readonly ObjectChange[] {
    if (event.type === "upsert" && this.#isFull(event.object.key)) {
      const why = `one more than ${OBJECTS_MAX} objects`;
      return this.apply({ type: "rejected", rejected: { key: event.object.key, at: "", why } }, replays);
    }
    this.#note(event);
    const plan = planEvent(this.#memory, event, replays, confirms);
    if (plan.exhume) this.#pending.exhume(this.kind, this.#memory.tombstones.keys());
    const changes: ObjectChange[] = [];
    for (const { key, uid, resourceVersion, value } of plan.put) {
      if (value === undefined) continue;
      this.#pending.putObject({ kind: this.kind, key, uid, resourceVersion, body: value.body });
      if (this.#memory.tombstones.has(key)) this.#pending.exhume(this.kind, [key]);
      changes.push(this.#change(key, value.value));
    }
    for (const key of plan.drop) {
      this.#pending.dropObject(this.kind, key);
      changes.push(this.#change(key, undefined));
    }
    for (const [key, tombstone] of plan.bury) this.#pending.bury(this.kind, key, tombstone);
    this.#pending.exhume(this.kind, this.#memory.apply(plan));
    if (event.type === "list" && event.authoritative && plan.heldDeletions === 0) this.#trusted = true;
    return changes;
  }

  get rejectedCount(): number {
    return this.#rejectedCount;
  }

  get objectCount(): number {
    return this.#memory.objects.size;
  }

  status(): KindStatus {
    const contact = this.#connected ? this.#wall() : this.#lastContact;
    return {
      kind: this.kind,
      objectCount: this.objectCount,
      tombstoneCount: this.#memory.tombstones.size,
      connected: this.#connected,
      error: this.#error,
      withheld: this.withheld,
      trusted: this.#trusted,
      lastTrustedList: this.#lastTrustedList,
      // The wall clock may have been set in between.
      stalenessSeconds: contact === undefined ? undefined : Math.max(0, (this.#wall() - contact) / 1000),
      heldDeletions: this.#memory.heldDeletions,
      rejectedCount: this.#rejectedCount,
      rejected: [...this.#rejected.values()],
    };
  }

  #isFull(key: ObjectKey): boolean {
    const { objects } = this.#memory;
    return objects.size >= OBJECTS_MAX && !objects.has(key);
  }

  #note(event: ListWatchEvent<CachedObject<K>>): void {
    switch (event.type) {
      case "list":
        this.#rejected.clear();
        this.#rejectedCount = 0;
        for (const rejected of event.rejected) this.#reject(rejected);
        if (event.authoritative) {
          this.#lastTrustedList = this.#wall();
          this.#pending.setWatermark(this.kind, {
            trustedVersion: event.resourceVersion,
            listedAt: this.#lastTrustedList,
          });
        }
        break;
      case "upsert":
      case "delete":
        this.#accept(event.object.key);
        break;
      case "rejected":
        this.#reject(event.rejected);
        break;
      case "state":
        if (this.#connected && !event.connected) this.#lastContact = this.#wall();
        this.#connected = event.connected;
        this.#error = event.error;
        break;
    }
  }

  #reject(rejected: Rejected): void {
    const key = rejected.key ?? "";
    if (this.#rejected.has(key) && rejected.key !== undefined) this.#rejectedCount -= 1;
    this.#rejectedCount += 1;
    if (this.#rejected.size < REJECTED_MAX || this.#rejected.has(key)) this.#rejected.set(key, rejected);
  }

  #accept(key: ObjectKey): void {
    if (this.#rejected.delete(key)) this.#rejectedCount -= 1;
  }

  #change(key: ObjectKey, value: ObjectValues[K] | undefined): ObjectChange {
    // K is one kind, which the compiler cannot follow through the union.
    return { kind: this.kind, key, value } as ObjectChange;
  }
}
