import { constants, Database } from "bun:sqlite";
import { chmodSync, closeSync, existsSync, openSync, statSync } from "node:fs";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";

/**
 * Raised when the tables change: by tables, and columns with defaults, alone. So a program reads and writes the file of
 * the next version, and a downgrade by one keeps the cache. A file that is newer still is left alone; an older one is
 * brought forward.
 */
export const SCHEMA_VERSION = 1;
const NEWEST_USABLE_SCHEMA = SCHEMA_VERSION + 1;
/** "Slvg": tells our file from any other SQLite file. */
const APPLICATION_ID = 0x536c7667;
/** 10,000 services and slices take 12 MB; this is for clusters five times as large, and for the card they are on. */
export const CACHE_BYTES_MAX = 64 * 1024 * 1024;
const PAGE_BYTES = 4096;
/** Rows are read once at the start and then written a few at a time: SQLite's own 2 MB would only fill up. */
const PAGE_CACHE_KIB = 256;

export type RowTable = "objects" | "tombstones" | "facts";

/** One row of any table. Its checksum covers all of it. */
export interface Row {
  readonly id: string;
  readonly uid: string;
  readonly version: string;
  readonly body: string;
}

export type Rows = Readonly<Record<RowTable, readonly Row[]>>;

/** `undefined` takes the row away. */
export type RowChanges = Readonly<Record<RowTable, Iterable<readonly [id: string, row: Row | undefined]>>>;

export interface FileContent {
  readonly rows: Rows;
  /** As of {@link StoreFile.scan}. */
  readonly damage: string | undefined;
}

interface SummedRow extends Row {
  readonly sum: number;
}

/** CRC-32 finds every flipped bit and every burst of up to 32 bits, which is how flash fails. */
export function rowSum(table: RowTable, row: Row): number {
  return Bun.hash.crc32(`${table}\0${row.id}\0${row.uid}\0${row.version}\0${row.body}`);
}

const TABLES: readonly RowTable[] = ["objects", "tombstones", "facts"];

/** By their names: the next version may have more. */
const COLUMNS = "(id, uid, version, body, sum)";

const SCHEMA = TABLES.map(
  (table) =>
    `CREATE TABLE ${table} (id TEXT PRIMARY KEY, uid TEXT NOT NULL, version TEXT NOT NULL, body TEXT NOT NULL, ` +
    "sum INTEGER NOT NULL) WITHOUT ROWID;",
).join("\n");

/**
 * One SQLite file of the cache.
 *
 * WAL with synchronous=NORMAL: a commit is a write without fsync, so a batch costs the card nothing by itself; the WAL
 * is synced and folded in at checkpoints, which the writer asks for once a minute when there was a change. A crash of
 * the program loses nothing; a power cut loses the last minute at most and never tears a transaction, because WAL
 * frames carry checksums and recovery stops at the first wrong one. What is lost the next list brings back.
 * FULL would sync each batch: one erase block a second on a busy cluster, for data that the cloud still has.
 *
 * SQLite notices torn pages only by chance, so each row has a checksum, and a fact row holds the number of rows and the
 * sum of their checksums: a lost or foreign row shows too.
 */
export class StoreFile {
  readonly #db: Database;

  private constructor(db: Database) {
    this.#db = db;
  }

  /** Opens or creates. Throws SQLite's errors, and CACHE_TOO_NEW for a file that a newer program wrote. */
  static open(path: string): StoreFile {
    makePrivate(path);
    const db = new Database(path, { create: true });
    try {
      keepIndexInMemory(db);
      db.run(`PRAGMA page_size = ${PAGE_BYTES}`);
      if (checkSchema(db, path) === 0) createSchema(db);
      db.run("PRAGMA synchronous = NORMAL");
      db.run(`PRAGMA cache_size = -${PAGE_CACHE_KIB}`);
      db.run(`PRAGMA max_page_count = ${CACHE_BYTES_MAX / PAGE_BYTES}`);
      db.run("PRAGMA journal_size_limit = 1048576");
    } catch (error) {
      db.close();
      throw error;
    }
    return new StoreFile(db);
  }

  /**
   * For a disk that cannot be written: SQLite would want to make the WAL's index beside the file. A WAL that a crash left
   * behind may hold everything that there is: it is read, without locks, which would want a file that can be written.
   */
  static openReadOnly(path: string): StoreFile {
    const hasWal = existsSync(`${path}-wal`);
    const uri = `${Bun.pathToFileURL(path)}?${hasWal ? "vfs=unix-none" : "immutable=1"}`;
    const db = new Database(uri, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI);
    try {
      keepIndexInMemory(db);
      checkSchema(db, path);
    } catch (error) {
      db.close();
      throw error;
    }
    return new StoreFile(db);
  }

  /**
   * Reads and checks everything, and hands over each row that is right. Does not throw for a damaged file.
   *
   * @returns what is wrong with the file; undefined: every row and their sum are right
   */
  scan(visit: (table: RowTable, row: Row) => void): string | undefined {
    let damage: string | undefined;
    let [count, sum] = [0, 0];
    let total = formatTotal(0, 0);
    for (const table of TABLES) {
      try {
        for (const row of this.#db.query<SummedRow, []>(`SELECT id, uid, version, body, sum FROM ${table}`).iterate()) {
          if (!isWhole(row) || rowSum(table, row) !== row.sum) {
            damage ??= `a row of ${table} has the wrong checksum`;
          } else if (row.id === TOTAL) {
            total = row.body;
          } else {
            [count, sum] = [count + 1, sum + row.sum];
            visit(table, row);
          }
        }
      } catch (error) {
        damage ??= `${table} cannot be read: ${errorCode(error)}`;
      }
    }
    if (total !== formatTotal(count, sum)) damage ??= `rows are missing or foreign: ${count} were read`;
    return damage;
  }

  /** Everything at once. */
  read(): FileContent {
    const rows: Record<RowTable, Row[]> = { objects: [], tombstones: [], facts: [] };
    const damage = this.scan((table, row) => rows[table].push(row));
    return { rows, damage };
  }

  /** One transaction: all of it or nothing. */
  write(changes: RowChanges): void {
    this.#db.transaction(() => {
      const stored = this.#db.query<{ body: string }, [string]>("SELECT body FROM facts WHERE id = ?").get(TOTAL);
      let [count = 0, sum = 0] = (stored?.body ?? formatTotal(0, 0)).split(" ").map(Number);
      for (const table of TABLES) {
        const before = this.#db.query<{ sum: number }, [string]>(`SELECT sum FROM ${table} WHERE id = ?`);
        const remove = this.#db.query(`DELETE FROM ${table} WHERE id = ?`);
        const put = this.#db.query(`INSERT OR REPLACE INTO ${table} ${COLUMNS} VALUES (?, ?, ?, ?, ?)`);
        const replace = (id: string, row: Row | undefined) => {
          const old = before.get(id);
          if (old !== null) [count, sum] = [count - 1, sum - old.sum];
          if (row === undefined) {
            if (old !== null) remove.run(id);
            return;
          }
          const added = rowSum(table, row);
          [count, sum] = [count + 1, sum + added];
          put.run(id, row.uid, row.version, row.body, added);
        };
        for (const [id, row] of changes[table]) replace(id, row);
      }
      const total: Row = { id: TOTAL, uid: "", version: "", body: formatTotal(count, sum) };
      this.#db
        .query(`INSERT OR REPLACE INTO facts ${COLUMNS} VALUES (?, ?, ?, ?, ?)`)
        .run(total.id, total.uid, total.version, total.body, rowSum("facts", total));
    })();
  }

  /** Makes everything that is written survive a power cut. */
  sync(): void {
    this.#db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  /** A compact copy of the file as it is now. */
  copyTo(path: string): void {
    makePrivate(path);
    this.#db.query("VACUUM INTO ?").run(path);
  }

  close(): void {
    this.#db.close();
  }
}

/** The fact row that holds the number of rows and the sum of their checksums. */
const TOTAL = "total";

function formatTotal(count: number, sum: number): string {
  return `${count} ${sum}`;
}

function isWhole(row: SummedRow): boolean {
  return [row.id, row.uid, row.version, row.body].every((text) => typeof text === "string");
}

/**
 * SQLite keeps the index of a WAL in memory for who has the file alone (sqlite.org/wal.html, "Use of WAL Without
 * Shared-Memory"). Otherwise it is a file that is mapped, of which it makes sure that there is a block for every 4 KiB: on
 * a full disk with smaller blocks, as mkfs.ext4 chooses below 512 MiB, a store into the map ends the program with SIGBUS.
 */
function keepIndexInMemory(db: Database): void {
  db.run("PRAGMA locking_mode = EXCLUSIVE");
}

/** A node's key is in it. What SQLite puts beside a file has the mode of the file. */
function makePrivate(path: string): void {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  if (mode === undefined) closeSync(openSync(path, "a", 0o600));
  else if ((mode & 0o077) !== 0) chmodSync(path, 0o600);
}

function checkSchema(db: Database, path: string): number {
  const pragma = (name: string) => Number(Object.values(db.query(`PRAGMA ${name}`).get() ?? {})[0] ?? 0);
  const [version, application] = [pragma("user_version"), pragma("application_id")];
  if (version > NEWEST_USABLE_SCHEMA && application === APPLICATION_ID) {
    throw new SelvedgeError(
      `Cannot use the cache ${path} as a newer program wrote it: current value is schema ${version}, ours is ${SCHEMA_VERSION}`,
      {
        code: "CACHE_TOO_NEW",
        blame: "user",
        retry: "never",
        hint: "Run the newer program again, or move the file away; until then nothing is kept over a restart.",
      },
    );
  }
  return application === APPLICATION_ID ? version : 0;
}

function createSchema(db: Database): void {
  db.run("PRAGMA journal_mode = WAL");
  db.transaction(() => {
    db.run(SCHEMA);
    db.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  })();
}
