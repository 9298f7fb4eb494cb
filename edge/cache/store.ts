import { edenGC } from "bun:jsc";
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import { type FileContent, type Row, type Rows, StoreFile } from "./store-file.ts";
import { changesOf, insertionsOf, mergeContents, objectOf, stateOf } from "./store-rows.ts";
import { EMPTY_STATE, type StoreBatch, type StoredObject, type StoredState } from "./stored-state.ts";

/** What was wrong at loading, for a health condition. */
export interface StoreTrouble {
  readonly code: "CACHE_CORRUPT" | "CACHE_TOO_NEW" | "CACHE_UNREADABLE";
  readonly message: string;
  readonly hint: string;
}

export interface LoadedStore {
  readonly state: StoredState;
  readonly trouble: StoreTrouble | undefined;
}

const PAGE_BYTES_LEAST = 512;
/**
 * Parsing a row leaves ten times its size behind. The heap does not shrink again, so the young of it are collected on
 * the way: 1,000 services take 4 MB less for good, and 10,000 take 13 MB less for 50 ms more.
 */
const ROWS_A_COLLECTION = 256;

/** SQLite's words for a file that is not, or no longer, a sound database of ours. */
const DAMAGED = new Set(["SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_SCHEMA", "SQLITE_FORMAT"]);

/** Digests content; see plan.ts. wyhash with 64 bits: by chance two of a million objects collide once in 37 million. */
export function contentDigest(text: string): string {
  return Bun.hash(text).toString(36);
}

/**
 * The cache on disk: the current file, the generation before it, and a corrupt file kept aside.
 *
 * The previous generation is a whole, verified copy, made a few times a day at most to spare the card. When rows of the
 * current file are lost, the copy's take their place: an object that is out of date is better than none, and the next
 * list from the cloud puts both right.
 */
export class CacheStore {
  readonly #folder: string;
  readonly #current: string;
  readonly #previous: string;
  readonly #next: string;
  readonly #corrupt: string;
  #file: StoreFile | undefined;
  #damage: string | undefined;
  #repaired: StoreTrouble | undefined;
  #tooNew: SelvedgeError | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#current = join(folder, "cache.db");
    this.#previous = join(folder, "cache.previous.db");
    this.#next = join(folder, "cache.next.db");
    this.#corrupt = join(folder, "cache.corrupt.db");
  }

  /**
   * Reads what is on disk and puts a damaged file right. Never throws: without a disk there is an empty state.
   *
   * @param receive is given one object after the other; of a damaged file all come again, with what could be saved
   */
  load(receive: (object: StoredObject) => void): LoadedStore {
    const take = collectingRows(receive);
    try {
      this.#makeFolder();
      // SQLite takes what is shorter than its smallest page for a new file.
      const fresh = (statSync(this.#current, { throwIfNoEntry: false })?.size ?? 0) < PAGE_BYTES_LEAST;
      if (fresh && existsSync(this.#previous)) return this.#loadDamaged("the file is missing or empty", take);
      this.#file = StoreFile.open(this.#current);
    } catch (error) {
      if (error instanceof SelvedgeError) return this.#loadTooNew(error, take);
      return DAMAGED.has(errorCode(error))
        ? this.#loadDamaged(errorText(error), take)
        : this.#loadReadOnly(error, take);
    }
    const rows: Record<"tombstones" | "facts", Row[]> = { tombstones: [], facts: [] };
    const damage = this.#file.scan((table, row) => {
      if (table === "objects") take(row);
      else rows[table].push(row);
    });
    return damage === undefined ? { state: stateOf(rows), trouble: undefined } : this.#loadDamaged(damage, take);
  }

  /** One transaction. Throws CACHE_WRITE_FAILED. */
  write(batch: StoreBatch): void {
    this.#attempt((file) => file.write(changesOf(batch)));
  }

  /** What is written survives a power cut from here on. Throws CACHE_WRITE_FAILED. */
  sync(): void {
    this.#attempt((file) => file.sync());
  }

  /**
   * What was wrong with a file that was damaged while it was in use, and has been put right since the last call: rows that
   * had been written may be lost, or be the copy's.
   */
  takeRepaired(): StoreTrouble | undefined {
    const repaired = this.#repaired;
    this.#repaired = undefined;
    return repaired;
  }

  /** When the previous generation was made: wall time in milliseconds since 1970; undefined: there is none to be seen. */
  get previousAt(): number | undefined {
    try {
      return statSync(this.#previous).mtimeMs;
    } catch {
      return undefined;
    }
  }

  /** Makes the present state the previous generation, once it is proven whole. Throws CACHE_WRITE_FAILED. */
  keepPrevious(): void {
    this.#attempt((file) => {
      removeDatabase(this.#next);
      try {
        file.copyTo(this.#next);
        const damage = readOnlyDamage(this.#next);
        if (damage !== undefined) throw Object.assign(new Error(damage), { code: "SQLITE_CORRUPT" });
        syncPath(this.#next);
        renameSync(this.#next, this.#previous);
      } catch (error) {
        // Half a copy would keep the room that the cache itself needs.
        removeDatabase(this.#next);
        throw error;
      }
      syncPath(this.#folder);
    });
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #makeFolder(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
  }

  /** After a failure the file is opened anew: the disk may have come back, full or read-only disks included. */
  #attempt(work: (file: StoreFile) => void): void {
    if (this.#tooNew !== undefined) throw this.#tooNew;
    try {
      this.#makeFolder();
      if (this.#damage !== undefined) this.#repaired = this.#repair(this.#damage);
      this.#file ??= StoreFile.open(this.#current);
      work(this.#file);
    } catch (cause) {
      if (DAMAGED.has(errorCode(cause))) this.#damage = errorText(cause);
      this.#dropFile();
      throw new SelvedgeError(`Cannot write the cache ${this.#current} as the disk refuses: ${errorText(cause)}`, {
        code: "CACHE_WRITE_FAILED",
        blame: "host",
        retry: "later",
        hint: "Free space on the disk, or make it writable; until then changes are kept in memory only.",
        cause,
      });
    }
  }

  #loadDamaged(damage: string, take: (row: Row) => void): LoadedStore {
    this.#damage = damage;
    const rows = this.#salvage();
    rows.objects.forEach(take);
    const trouble = this.#corrupted(damage, rows);
    try {
      this.#repair(damage);
    } catch {
      // A disk that cannot be written: the next write tries the repair again, and says so.
      this.#dropFile();
    }
    return { state: stateOf(rows), trouble };
  }

  /** What can be read of the current file, completed from the previous generation. */
  #salvage(): Rows {
    const current = this.#file?.read() ?? readOnlyRows(this.#current);
    return mergeContents(current, readOnlyRows(this.#previous));
  }

  /** Puts a sound file in the damaged one's place. At every moment there is a whole generation on disk. */
  #repair(damage: string): StoreTrouble {
    const rows = this.#salvage();
    this.#dropFile();
    removeDatabase(this.#next);
    const next = StoreFile.open(this.#next);
    try {
      next.write(insertionsOf(rows));
    } finally {
      next.close();
    }
    syncPath(this.#next);
    // A WAL left behind would be replayed into the new file.
    for (const suffix of ["-wal", "-shm"]) rmSync(this.#current + suffix, { force: true });
    if (existsSync(this.#current)) {
      rmSync(this.#corrupt, { force: true });
      linkSync(this.#current, this.#corrupt);
    }
    renameSync(this.#next, this.#current);
    syncPath(this.#folder);
    this.#damage = undefined;
    return this.#corrupted(damage, rows);
  }

  #corrupted(damage: string, { objects }: Rows): StoreTrouble {
    return {
      code: "CACHE_CORRUPT",
      message: `Cannot trust the cache ${this.#current} as it is damaged: ${damage}; ${objects.length} objects were saved`,
      hint: `The damaged file is kept as ${this.#corrupt}; look at the disk's health. The next list from the cloud completes the rest.`,
    };
  }

  #loadTooNew(error: SelvedgeError, take: (row: Row) => void): LoadedStore {
    this.#tooNew = error;
    const { rows, damage } = readOnlyRows(this.#previous);
    if (damage === undefined) rows.objects.forEach(take);
    return {
      state: damage === undefined ? stateOf(rows) : EMPTY_STATE,
      trouble: { code: "CACHE_TOO_NEW", message: error.message, hint: error.hint ?? "" },
    };
  }

  /** The disk is read-only, or broken. */
  #loadReadOnly(error: unknown, take: (row: Row) => void): LoadedStore {
    const rows = this.#salvage();
    rows.objects.forEach(take);
    if (rows.objects.length > 0) return { state: stateOf(rows), trouble: undefined };
    return {
      state: EMPTY_STATE,
      trouble: {
        code: "CACHE_UNREADABLE",
        message: `Cannot read the cache ${this.#current} as the disk refuses: ${errorText(error)}`,
        hint: "Make the folder readable and writable for the agent.",
      },
    };
  }

  #dropFile(): void {
    try {
      this.#file?.close();
    } catch {
      // The failure that led here is the one worth telling.
    }
    this.#file = undefined;
  }
}

function collectingRows(receive: (object: StoredObject) => void): (row: Row) => void {
  let count = 0;
  return (row) => {
    const object = objectOf(row);
    if (object !== undefined) receive(object);
    count += 1;
    if (count % ROWS_A_COLLECTION === 0) edenGC();
  };
}

/** Reads without touching the folder; a file that cannot be opened has no rows. */
function readOnlyRows(path: string): FileContent {
  const none = { objects: [], tombstones: [], facts: [] };
  return withReadOnly(
    path,
    (file) => file.read(),
    (damage) => ({ rows: none, damage }),
  );
}

function readOnlyDamage(path: string): string | undefined {
  return withReadOnly(
    path,
    (file) => file.scan(() => undefined),
    (damage) => damage,
  );
}

function withReadOnly<T>(path: string, work: (file: StoreFile) => T, fail: (damage: string) => T): T {
  if (!existsSync(path)) return fail("the file is missing");
  try {
    const file = StoreFile.openReadOnly(path);
    try {
      return work(file);
    } finally {
      file.close();
    }
  } catch (error) {
    return fail(errorText(error));
  }
}

function removeDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}

function syncPath(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
