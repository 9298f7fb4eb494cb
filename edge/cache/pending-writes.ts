import type { ObjectKind } from "../../src/network/object-change.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { Tombstone } from "./plan.ts";
import { rowId, type StoreBatch, type StoredObject, type StoredTombstone, type Watermark } from "./stored-state.ts";

/** One trimmed object. 1,000 endpoints with hints take half of it. */
export const OBJECT_BODY_BYTES_MAX = 1024 * 1024;

/** What is not on disk yet, folded: however often an object changed, its last state is written once. */
export class PendingWrites {
  #objects = new Map<string, StoredObject | undefined>();
  #tombstones = new Map<string, StoredTombstone | undefined>();
  #watermarks = new Map<ObjectKind, Watermark>();
  #source: string | undefined;
  #slicesWithheld: boolean | undefined;

  /** Whether there is anything that a restart would miss; watermarks alone can wait for company. */
  get urgent(): boolean {
    const fact = this.#source ?? this.#slicesWithheld;
    return this.#objects.size > 0 || this.#tombstones.size > 0 || fact !== undefined;
  }

  /** An object that is too large to be kept is taken off the disk, so that no old state of it comes back. */
  putObject(object: StoredObject): void {
    const kept = object.body.length <= OBJECT_BODY_BYTES_MAX ? object : undefined;
    this.#objects.set(rowId(object.kind, object.key), kept);
  }

  dropObject(kind: ObjectKind, key: ObjectKey): void {
    this.#objects.set(rowId(kind, key), undefined);
  }

  bury(kind: ObjectKind, key: ObjectKey, tombstone: Tombstone): void {
    this.#tombstones.set(rowId(kind, key), { kind, key, ...tombstone });
  }

  exhume(kind: ObjectKind, keys: Iterable<ObjectKey>): void {
    for (const key of keys) this.#tombstones.set(rowId(kind, key), undefined);
  }

  setWatermark(kind: ObjectKind, watermark: Watermark): void {
    this.#watermarks.set(kind, watermark);
  }

  setSource(source: string): void {
    this.#source = source;
  }

  setSlicesWithheld(withheld: boolean): void {
    this.#slicesWithheld = withheld;
  }

  /** Hands everything over. */
  take(): StoreBatch {
    const batch = {
      objects: this.#objects,
      tombstones: this.#tombstones,
      watermarks: this.#watermarks,
      source: this.#source,
      slicesWithheld: this.#slicesWithheld,
    };
    this.#objects = new Map();
    this.#tombstones = new Map();
    this.#watermarks = new Map();
    this.#source = undefined;
    this.#slicesWithheld = undefined;
    return batch;
  }

  /** Takes a batch back that could not be written; what has come since is newer. */
  restore(batch: StoreBatch): void {
    this.#objects = new Map([...batch.objects, ...this.#objects]);
    this.#tombstones = new Map([...batch.tombstones, ...this.#tombstones]);
    this.#watermarks = new Map([...batch.watermarks, ...this.#watermarks]);
    this.#source ??= batch.source;
    this.#slicesWithheld ??= batch.slicesWithheld;
  }
}
