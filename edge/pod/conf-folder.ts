import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import { readBeginning } from "../../src/linux/bounded-file.ts";
import { findShadow, isNetworkConfiguration } from "./conf-folder-plan.ts";

/** libcni itself has no bound; a list of plugins has a few kilobytes. */
const CONF_FILE_BYTES_MAX = 1024 * 1024;

/** The folder of network configurations that container runtimes read. Of its files, one is ours. */
export class ConfFolder {
  readonly #path: string;
  readonly #name: string;

  constructor(path: string, name: string) {
    this.#path = path;
    this.#name = name;
  }

  get file(): string {
    return join(this.#path, this.#name);
  }

  /**
   * Whole or not at all, and only where something else stands there.
   *
   * @returns whether it was written
   * @throws SelvedgeError POD_CONFLIST_UNWRITABLE
   */
  write(text: string): boolean {
    if (this.#read(this.#name) === text) return false;
    // A name that runtimes do not read, and the same one each time: an agent that is killed leaves one file at most.
    const fresh = join(this.#path, `.${this.#name}.new`);
    try {
      mkdirSync(this.#path, { recursive: true, mode: 0o755 });
      const descriptor = openSync(fresh, "w", 0o644);
      try {
        writeFileSync(descriptor, text);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(fresh, this.file);
      return true;
    } catch (error) {
      forget(fresh);
      throw this.#unwritable(error);
    }
  }

  /** @returns the path of another program's file that runtimes take in the place of ours */
  shadow(): string | undefined {
    let names: readonly string[];
    try {
      names = readdirSync(this.#path);
    } catch {
      return undefined;
    }
    const name = findShadow(names, this.#name, (other) => isNetworkConfiguration(this.#read(other)));
    return name === undefined ? undefined : join(this.#path, name);
  }

  /** @returns whether there was one that is ours */
  remove(isOurs: (text: string) => boolean, dryRun: boolean): boolean {
    const text = this.#read(this.#name);
    if (text === undefined || !isOurs(text)) return false;
    if (!dryRun) rmSync(this.file, { force: true });
    return true;
  }

  #read(name: string): string | undefined {
    try {
      return readBeginning(join(this.#path, name), CONF_FILE_BYTES_MAX);
    } catch {
      // What cannot be read here cannot be read by a runtime either.
      return undefined;
    }
  }

  #unwritable(cause: unknown): SelvedgeError {
    return new SelvedgeError(`Cannot write ${this.file}: ${errorCode(cause)}`, {
      code: "POD_CONFLIST_UNWRITABLE",
      blame: "host",
      retry: "later",
      hint: "Make the folder writable for the agent (ReadWritePaths= of its unit), or name another one with --cni-conf-path.",
      cause,
    });
  }
}

/** What is left of a file that could not be written; the failure before says why. */
function forget(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}
