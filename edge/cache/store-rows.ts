import { KINDS } from "../../src/kube/objects/kinds.ts";
import type { ObjectKind } from "../../src/network/object-change.ts";
import type { FileContent, Row, RowChanges, Rows } from "./store-file.ts";
import {
  rowId,
  type StoreBatch,
  type StoredObject,
  type StoredState,
  type StoredTombstone,
  type Watermark,
} from "./stored-state.ts";

/** The fact row that names the source. */
const SOURCE = "source";
/** The fact row that says whether the source refuses EndpointSlices. */
const SLICES_WITHHELD = "slices withheld";
/** The fact rows "watermark Service" and so on. */
const WATERMARK = "watermark";

/** @returns undefined for a kind that this program does not know */
export function objectOf(row: Row): StoredObject | undefined {
  const identity = identityOf(row);
  return identity && { ...identity, body: row.body };
}

/** What the rows of a file say beside the objects. Rows of kinds that this program does not know are passed over. */
export function stateOf(rows: Pick<Rows, "tombstones" | "facts">): StoredState {
  const watermarks = new Map<ObjectKind, Watermark>();
  for (const kind of Object.keys(KINDS) as ObjectKind[]) {
    const row = rows.facts.find(({ id }) => id === watermarkId(kind));
    // Another version may write it otherwise: without a watermark the kind waits for its next list.
    if (row !== undefined && /^\d{1,16}$/.test(row.body))
      watermarks.set(kind, { trustedVersion: row.version || undefined, listedAt: Number(row.body) });
  }
  return {
    tombstones: rows.tombstones.flatMap((row) => identityOf(row) ?? []),
    watermarks,
    source: rows.facts.find(({ id }) => id === SOURCE)?.body,
    slicesWithheld: rows.facts.find(({ id }) => id === SLICES_WITHHELD)?.body === "true",
  };
}

/** The rows that a batch puts or takes away. */
export function changesOf(batch: StoreBatch): RowChanges {
  const facts = new Map<string, Row>();
  for (const [kind, { trustedVersion, listedAt }] of batch.watermarks) {
    const id = watermarkId(kind);
    facts.set(id, { id, uid: "", version: trustedVersion ?? "", body: String(listedAt) });
  }
  const fact = (id: string, body: string | undefined): void => {
    if (body !== undefined) facts.set(id, { id, uid: "", version: "", body });
  };
  fact(SOURCE, batch.source);
  fact(SLICES_WITHHELD, batch.slicesWithheld?.toString());
  return {
    objects: [...batch.objects].map(([id, object]) => [id, object && rowOf(object, object.body)] as const),
    tombstones: [...batch.tombstones].map(([id, tombstone]) => [id, tombstone && rowOf(tombstone, "")] as const),
    facts,
  };
}

/** All rows, as changes to an empty file. */
export function insertionsOf(rows: Rows): RowChanges {
  const pairs = (table: readonly Row[]) => table.map((row) => [row.id, row] as const);
  return { objects: pairs(rows.objects), tombstones: pairs(rows.tombstones), facts: pairs(rows.facts) };
}

/**
 * The good rows of a damaged file, and from the generation before it the objects that it lost. Which of those had been
 * deleted since cannot be known: they stay until the cloud's next list.
 */
export function mergeContents(damaged: FileContent, previous: FileContent): Rows {
  const known = new Set([...damaged.rows.objects, ...damaged.rows.tombstones].map((row) => row.id));
  const restored = previous.rows.objects.filter((row) => !known.has(row.id));
  const facts = damaged.rows.facts.length > 0 ? damaged.rows.facts : previous.rows.facts;
  return { objects: [...damaged.rows.objects, ...restored], tombstones: damaged.rows.tombstones, facts };
}

function rowOf(identity: StoredTombstone, body: string): Row {
  const { kind, key, uid, resourceVersion } = identity;
  return { id: rowId(kind, key), uid, version: resourceVersion, body };
}

function identityOf(row: Row): StoredTombstone | undefined {
  const at = row.id.indexOf(" ");
  const kind = row.id.slice(0, at);
  if (!Object.hasOwn(KINDS, kind)) return undefined;
  return { kind: kind as ObjectKind, key: row.id.slice(at + 1), uid: row.uid, resourceVersion: row.version };
}

function watermarkId(kind: ObjectKind): string {
  return `${WATERMARK} ${kind}`;
}
