import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from "node:fs";
import { join } from "node:path";
import type { Clock, Timer } from "../../src/base/clock.ts";
import { milliseconds, seconds } from "../../src/base/duration.ts";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import type { FoundFile } from "./folder-plan.ts";

/** One file; 10,000 services with slices are 8 MB. */
export const FILE_BYTES_MAX = 32 * 1024 * 1024;
export const FILES_MAX = 10_000;
/** Saving a file is several events: it is read when they are over. */
const SETTLE = milliseconds(150);
/** Network file systems tell nothing, and neither does a folder that is swapped as a whole. */
const LOOK_EVERY = seconds(10);

/** Reads every manifest of a folder, links followed. Throws HUB_FOLDER when there is no such folder. */
export function readFolder(folder: string): readonly FoundFile[] {
  return listFolder(folder).map((name): FoundFile => ({ path: name, content: readManifest(join(folder, name)) }));
}

/** Hidden names are left out: editors' swap files, and the folders that ConfigMap mounts keep their versions in. */
function listFolder(folder: string): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    throw folderError(`Cannot read the folder ${folder}`, cause);
  }
  const manifests = names.filter((name) => /^[^.].*\.(yaml|yml|json)$/.test(name));
  if (manifests.length > FILES_MAX)
    throw folderError(`Cannot read more than ${FILES_MAX} files of ${folder}`, undefined);
  return manifests;
}

function readManifest(path: string): FoundFile["content"] {
  try {
    const { size } = statSync(path);
    if (size > FILE_BYTES_MAX) return { error: `the file is larger than ${FILE_BYTES_MAX} bytes: split it` };
    return { text: readFileSync(path, "utf8") };
  } catch (error) {
    return { error: `the file cannot be read: ${errorCode(error)}` };
  }
}

function folderError(message: string, cause: unknown): SelvedgeError {
  return new SelvedgeError(message, {
    code: "HUB_FOLDER",
    blame: "user",
    retry: "later",
    hint: "Name a folder that exists and that may be read with --manifests.",
    cause,
  });
}

/** Calls back when something in the folder may have changed, once things have settled, and every few seconds anyway. */
export class FolderWatch {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #watcher: FSWatcher | undefined;
  #timer: Timer;

  constructor(folder: string, clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#timer = clock.after(LOOK_EVERY, () => this.#look());
    try {
      this.#watcher = watch(folder, () => this.#touched());
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // Without inotify the folder is looked at every few seconds.
    }
  }

  close(): void {
    this.#timer.cancel();
    this.#watcher?.close();
  }

  #touched(): void {
    this.#timer.cancel();
    this.#timer = this.#clock.after(SETTLE, () => this.#look());
  }

  #look(): void {
    this.#timer = this.#clock.after(LOOK_EVERY, () => this.#look());
    this.#onChange();
  }
}
