import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from "node:fs";
import type { Clock, Timer } from "../../src/base/clock.ts";
import { milliseconds, seconds } from "../../src/base/duration.ts";
import { errorCode } from "../../src/base/errors.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { FileReader } from "./identity-files.ts";

/** A ConfigMap or Secret as a file: what all of its data may have together (Kubernetes' validation). */
export const FILE_BYTES_MAX = 1024 * 1024;
/** Of a folder of keys or authorities: one file is usual. */
export const FOLDER_FILES_MAX = 64;
/** Writing a file is several events, and so is the swap of a mounted volume. */
const SETTLE = milliseconds(200);
/** A folder that was replaced as a whole, or is not there yet, tells nothing. */
const LOOK_EVERY = seconds(10);

export const WATCHED_FILES: FileReader = {
  read: (path) => {
    try {
      const { size } = statSync(path);
      if (size > FILE_BYTES_MAX) throw Object.assign(new Error(`${path} is too large`), { code: "EFBIG" });
      return readFileSync(path, "utf8");
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  },
  list: (folder) => {
    try {
      // "..data" and the like are how mounted volumes keep their versions.
      const names = readdirSync(folder).filter((name) => !name.startsWith("."));
      return names.sort().slice(0, FOLDER_FILES_MAX);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    }
  },
};

/**
 * Calls back when something in one of the folders may have changed, once things have settled, and every few seconds
 * anyway. Folders are watched and not files: a file that is replaced, and a mounted volume, whose versions are swapped
 * by a link, would take the watch with them.
 */
export class FolderWatches {
  readonly #folders: readonly string[];
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly folder: string }>();
  #timer: Timer;

  constructor(folders: readonly string[], clock: Clock, onChange: () => void, scope: Scope) {
    this.#folders = folders;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#timer = clock.after(LOOK_EVERY, () => this.#look());
    this.#watchAll();
    scope.onClose("folder watches", () => {
      this.#timer.cancel();
      for (const { watcher } of this.#watchers.values()) watcher.close();
    });
  }

  #look(): void {
    this.#watchAll();
    this.#timer = this.#clock.after(LOOK_EVERY, () => this.#look());
    this.#onChange();
  }

  #settle(): void {
    this.#timer.cancel();
    this.#timer = this.#clock.after(SETTLE, () => this.#look());
  }

  #watchAll(): void {
    for (const folder of this.#folders) {
      const known = this.#watchers.get(folder);
      const there = identify(folder);
      if (known !== undefined && known.folder === there) continue;
      known?.watcher.close();
      this.#watchers.delete(folder);
      if (there !== undefined) this.#watch(folder, there);
    }
  }

  #watch(folder: string, there: string): void {
    try {
      const watcher = watch(folder, () => this.#settle());
      watcher.on("error", () => this.#watchers.delete(folder));
      this.#watchers.set(folder, { watcher, folder: there });
    } catch {
      // Too many watches on this machine (fs.inotify.max_user_watches), or it has just gone: looking finds out, too.
    }
  }
}

/** Which folder it is that has this name now: a new one may get the inode of the one before. */
function identify(folder: string): string | undefined {
  const stat = statSync(folder, { bigint: true, throwIfNoEntry: false });
  return stat && `${stat.dev} ${stat.ino} ${stat.birthtimeNs}`;
}
