import type { ObjectKind } from "../../src/network/object-change.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { Tombstone } from "./plan.ts";

/** An object as it lies on disk. */
export interface StoredObject {
  readonly kind: ObjectKind;
  readonly key: ObjectKey;
  readonly uid: string;
  readonly resourceVersion: string;
  /** The trimmed object as JSON. */
  readonly body: string;
}

export interface StoredTombstone extends Tombstone {
  readonly kind: ObjectKind;
  readonly key: ObjectKey;
}

/** Where a kind's last authoritative list stood. */
export interface Watermark {
  readonly trustedVersion: string | undefined;
  /** Wall time in milliseconds since 1970. */
  readonly listedAt: number;
}

/** What is on disk beside the objects. */
export interface StoredState {
  readonly tombstones: readonly StoredTombstone[];
  readonly watermarks: ReadonlyMap<ObjectKind, Watermark>;
  /** Whose versions these are. */
  readonly source: string | undefined;
  /** The source refuses EndpointSlices: those on disk are out of date. */
  readonly slicesWithheld: boolean;
}

export const EMPTY_STATE: StoredState = {
  tombstones: [],
  watermarks: new Map(),
  source: undefined,
  slicesWithheld: false,
};

/** Changes to what is on disk, for one transaction. `undefined` takes a row away. */
export interface StoreBatch {
  readonly objects: ReadonlyMap<string, StoredObject | undefined>;
  readonly tombstones: ReadonlyMap<string, StoredTombstone | undefined>;
  readonly watermarks: ReadonlyMap<ObjectKind, Watermark>;
  readonly source: string | undefined;
  readonly slicesWithheld: boolean | undefined;
}

/** The row of an object or tombstone: a kind has no blanks in its name. */
export function rowId(kind: ObjectKind, key: ObjectKey): string {
  return `${kind} ${key}`;
}
