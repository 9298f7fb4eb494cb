import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, elapsed, sleep } from "../../src/base/clock.ts";
import { milliseconds, seconds } from "../../src/base/duration.ts";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import { type Ip, parseIp } from "../../src/base/ip.ts";
import { readBeginning } from "../../src/linux/bounded-file.ts";
import { tryLockFile } from "../../src/linux/file-lock.ts";
import { type Attachment, formatReservation, isHeldBy, parseReservation, reservedAddress } from "./reservation.ts";

/** Files of one network: a node has a few hundred pods, and a /16 no more addresses than this. */
const RESERVATIONS_LIMIT = 65_536;
/** An owner is a container id and an interface's name. */
const RESERVATION_BYTES_MAX = 1024;

/** Others hold the lock for as long as it takes to write two small files. */
const LOCK_PATIENCE = seconds(20);
const LOCK_RETRY = milliseconds(3);

/**
 * The addresses that this node's pods have, in host-local's files: `<folder>/<address>`, `last_reserved_ip.<set>` and
 * `lock`. A file comes whole or not at all, so a program that is killed leaves at most a reservation whose owner a later
 * DEL names. Nothing is synced: a power cut ends the pods as well.
 */
export class AddressStore {
  readonly folder: string;

  constructor(dataDir: string, network: string) {
    this.folder = join(dataDir, network);
  }

  /**
   * Does something while no other plugin, ours or host-local, looks at or changes the files.
   *
   * @throws SelvedgeError POD_ADDRESSES_LOCKED, POD_ADDRESSES_UNWRITABLE
   */
  async locked<T>(clock: Clock, work: () => T): Promise<T> {
    const started = clock.now();
    const signal = new AbortController().signal;
    for (;;) {
      using held = this.#tryLock();
      if (held !== undefined) return work();
      if (elapsed(started, clock.now()) > LOCK_PATIENCE) throw locked(this.folder);
      await sleep(clock, LOCK_RETRY, signal);
    }
  }

  addresses(): ReadonlySet<Ip> {
    const names = this.#attempt(() => readdirSync(this.folder));
    if (names.length > RESERVATIONS_LIMIT) throw tooMany(this.folder, names.length);
    return new Set(names.map(reservedAddress).filter((ip) => ip !== undefined));
  }

  /** Reads every file. @returns without an owner where its writer was killed before it wrote one */
  reservations(): ReadonlyMap<Ip, Attachment | undefined> {
    const found = new Map<Ip, Attachment | undefined>();
    for (const address of this.addresses()) found.set(address, parseReservation(this.#read(address)));
    return found;
  }

  /** The last address that was given out of a set. */
  previous(set: number): Ip | undefined {
    const ip = parseIp(this.#read(`last_reserved_ip.${set}`).trim());
    return ip.ok ? ip.value : undefined;
  }

  /** Under the lock, and of an address that is free. */
  reserve(address: Ip, set: number, attachment: Attachment): void {
    this.writeText(address, formatReservation(attachment));
    this.writeText(`last_reserved_ip.${set}`, address);
  }

  /** Under the lock. */
  free(address: Ip): void {
    this.#attempt(() => rmSync(join(this.folder, address), { force: true }));
  }

  heldBy(attachment: Attachment): readonly Ip[] {
    const held = [...this.reservations()].filter(([, owner]) => owner !== undefined && isHeldBy(owner, attachment));
    return held.map(([address]) => address);
  }

  /** The folder, while nobody has an address. @returns whether there was one to remove */
  removeUnused(dryRun: boolean): boolean {
    return this.#attempt(() => {
      if (!existsSync(this.folder) || this.addresses().size > 0) return false;
      if (!dryRun) rmSync(this.folder, { recursive: true });
      return true;
    });
  }

  #tryLock(): Disposable | undefined {
    return this.#attempt(() => {
      try {
        return tryLockFile(join(this.folder, "lock"));
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
        mkdirSync(this.folder, { recursive: true, mode: 0o755 });
        return tryLockFile(join(this.folder, "lock"));
      }
    });
  }

  /** Of another file of the network. @returns undefined where there is none */
  readText(name: string, most: number): string | undefined {
    try {
      return readBeginning(join(this.folder, name), most);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw unwritable(this.folder, error);
    }
  }

  #read(name: string): string {
    return this.readText(name, RESERVATION_BYTES_MAX) ?? "";
  }

  /** Whole or not at all. */
  writeText(name: string, text: string): void {
    const fresh = join(this.folder, ".selvedge-cni");
    this.#attempt(() => {
      writeFileSync(fresh, text, { mode: 0o644 });
      renameSync(fresh, join(this.folder, name));
    });
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw unwritable(this.folder, error);
    }
  }
}

function locked(folder: string): SelvedgeError {
  return new SelvedgeError(`Cannot give out an address as another program has held ${folder}/lock for 20 s`, {
    code: "POD_ADDRESSES_LOCKED",
    blame: "host",
    retry: "later",
    hint: "See who holds it with `fuser`: a CNI plugin that hangs.",
  });
}

function unwritable(folder: string, cause: unknown): SelvedgeError {
  if (cause instanceof SelvedgeError) return cause;
  return new SelvedgeError(`Cannot keep pods' addresses in ${folder}: ${errorCode(cause)}`, {
    code: "POD_ADDRESSES_UNWRITABLE",
    blame: "host",
    retry: "later",
    hint: "Make the folder's disk writable and free some of it.",
    cause,
  });
}

function tooMany(folder: string, count: number): SelvedgeError {
  return new SelvedgeError(`Cannot use ${folder} as it has more than ${RESERVATIONS_LIMIT} files: ${count}`, {
    code: "POD_ADDRESSES_UNWRITABLE",
    blame: "host",
    retry: "later",
    hint: "Remove from the folder what is no address of a pod of this node.",
  });
}
