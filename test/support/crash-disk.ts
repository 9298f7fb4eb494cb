import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../src/base/backoff.ts";
import type { DiskCall } from "./disk-trace.ts";

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

type Change = { readonly offset: number; readonly bytes: Buffer } | { readonly size: number };

/** A file without its name. */
interface Inode {
  synced: Buffer;
  /** Since then, in order. */
  changes: Change[];
}

type Names = Map<string, Inode>;

/** Files by name. */
export type DiskState = ReadonlyMap<string, Buffer>;

/**
 * A disk of which only what was synced is sure, as POSIX has it: a file by fsync of the file, its name by fsync of the
 * folder. Of the rest a power cut leaves any sectors, in any order, and any beginning of what happened to names.
 */
export class CrashDisk {
  readonly #names: Names = new Map();
  #syncedNames: Names = new Map();
  /** Since the folder was synced, in order. */
  #nameChanges: ((names: Names) => void)[] = [];

  constructor(files: DiskState = new Map()) {
    for (const [name, bytes] of files) this.#names.set(name, { synced: bytes, changes: [] });
    this.#syncedNames = new Map(this.#names);
  }

  apply(call: DiskCall): void {
    switch (call.call) {
      case "create":
        if (!this.#names.has(call.file)) {
          const inode: Inode = { synced: Buffer.alloc(0), changes: [] };
          this.#rename((names) => names.set(call.file, inode));
        } else if (call.truncate) this.#inode(call.file).changes.push({ size: 0 });
        break;
      case "write":
        this.#inode(call.file).changes.push({ offset: call.offset, bytes: call.bytes });
        break;
      case "truncate":
        this.#inode(call.file).changes.push({ size: call.size });
        break;
      case "sync": {
        const inode = this.#inode(call.file);
        inode.synced = inode.changes.reduce(changed, inode.synced);
        inode.changes = [];
        break;
      }
      case "sync folder":
        this.#syncedNames = new Map(this.#names);
        this.#nameChanges = [];
        break;
      case "rename":
      case "link": {
        const inode = this.#inode(call.file);
        this.#rename((names) => {
          names.set(call.to, inode);
          if (call.call === "rename") names.delete(call.file);
        });
        break;
      }
      case "unlink":
        this.#rename((names) => names.delete(call.file));
        break;
    }
  }

  /** Whether a power cut now would take nothing. */
  get isSynced(): boolean {
    return this.#nameChanges.length === 0 && [...this.#names.values()].every(({ changes }) => changes.length === 0);
  }

  /** What the program sees; what a disk has that wrote everything in time. */
  whole(): DiskState {
    return filesOf(this.#names, ({ synced, changes }) => changes.reduce(changed, synced));
  }

  /** What was synced, and nothing else. */
  leastSynced(): DiskState {
    return filesOf(this.#syncedNames, ({ synced }) => synced);
  }

  /** Anything in between. */
  torn(random: Random): DiskState {
    const names = new Map(this.#syncedNames);
    const happened = Math.floor(random() * (this.#nameChanges.length + 1));
    for (const change of this.#nameChanges.slice(0, happened)) change(names);
    return filesOf(names, ({ synced, changes }) =>
      changes.flatMap((change) => someSectors(change, random)).reduce(changed, synced),
    );
  }

  #inode(file: string): Inode {
    const inode = this.#names.get(file);
    if (inode === undefined)
      throw new Error(`Cannot replay a call on a file that is not there: current value is ${file}`);
    return inode;
  }

  #rename(change: (names: Names) => void): void {
    change(this.#names);
    this.#nameChanges.push(change);
  }
}

export function writeDisk(state: DiskState, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of state) writeFileSync(join(folder, name), bytes);
}

/** The same for the same files. */
export function diskDigest(state: DiskState): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const [name, bytes] of [...state].sort(([one], [other]) => (one < other ? -1 : 1)))
    hash.update(`${name} ${bytes.length}\n`).update(bytes);
  return hash.digest("hex");
}

function filesOf(names: Names, content: (inode: Inode) => Buffer): DiskState {
  return new Map([...names].map(([name, inode]) => [name, content(inode)]));
}

function changed(bytes: Buffer, change: Change): Buffer {
  const grown = Buffer.alloc(
    "size" in change ? change.size : Math.max(bytes.length, change.offset + change.bytes.length),
  );
  bytes.copy(grown);
  if (!("size" in change)) change.bytes.copy(grown, change.offset);
  return grown;
}

/** The parts of a change that reached the disk. */
function someSectors(change: Change, random: Random): readonly Change[] {
  if ("size" in change) return random() < 0.5 ? [change] : [];
  const kept: Change[] = [];
  const end = change.offset + change.bytes.length;
  for (let from = change.offset; from < end; ) {
    const to = Math.min(end, (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    const bytes = change.bytes.subarray(from - change.offset, to - change.offset);
    if (random() < 0.5) kept.push({ offset: from, bytes });
    from = to;
  }
  return kept;
}
