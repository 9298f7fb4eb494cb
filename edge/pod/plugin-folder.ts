import {
  accessSync,
  constants,
  copyFileSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import { PLUGIN_NAME } from "./conflist.ts";

/** What FabEdge's configuration names. */
const STOCK_PLUGINS = ["bridge", "host-local", "portmap", "bandwidth"];

/** The folder where container runtimes look for plugins. */
export class PluginFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  get file(): string {
    return join(this.#path, PLUGIN_NAME);
  }

  /**
   * Puts this program there: as a link to its file, or, where the node does not see that (in a pod), as a copy.
   *
   * @returns whether anything was done
   * @throws SelvedgeError POD_PLUGIN_UNWRITABLE
   */
  install(executable: string, how: "link" | "copy"): boolean {
    if (how === "link" ? this.#linksTo(executable) : this.#isCopyOf(executable)) return false;
    // The same name each time: an agent that is killed leaves one copy of 110 MB at most.
    const fresh = `${this.file}.new`;
    try {
      mkdirSync(this.#path, { recursive: true, mode: 0o755 });
      rmSync(fresh, { force: true });
      if (how === "link") symlinkSync(executable, fresh);
      else copy(executable, fresh);
      renameSync(fresh, this.file);
      return true;
    } catch (error) {
      forget(fresh);
      throw this.#unwritable(error);
    }
  }

  missingStockPlugins(): readonly string[] {
    return STOCK_PLUGINS.filter((name) => !isExecutable(join(this.#path, name)));
  }

  /** @returns whether there was one */
  remove(dryRun: boolean): boolean {
    const there = attributes(this.file) !== undefined || linkTarget(this.file) !== undefined;
    if (there && !dryRun) rmSync(this.file, { force: true });
    return there;
  }

  #linksTo(executable: string): boolean {
    return linkTarget(this.file) === executable;
  }

  /** By size and time: to read 110 MB at every start would take a small node seconds. */
  #isCopyOf(executable: string): boolean {
    const [there, own] = [attributes(this.file), attributes(executable)];
    return there !== undefined && there.size === own?.size && there.mtimeMs === own.mtimeMs;
  }

  #unwritable(cause: unknown): SelvedgeError {
    return new SelvedgeError(`Cannot install ${this.file}: ${errorCode(cause)}`, {
      code: "POD_PLUGIN_UNWRITABLE",
      blame: "host",
      retry: "later",
      hint: "Make the folder writable for the agent (ReadWritePaths= of its unit), or set --cni-plugins=stock.",
      cause,
    });
  }
}

function copy(from: string, to: string): void {
  copyFileSync(from, to);
  const { mtimeMs, atimeMs } = statSync(from);
  utimesSync(to, atimeMs / 1000, Math.floor(mtimeMs) / 1000);
}

function attributes(path: string): { readonly size: number; readonly mtimeMs: number } | undefined {
  try {
    const { size, mtimeMs } = statSync(path);
    return { size, mtimeMs: Math.floor(mtimeMs) };
  } catch {
    return undefined;
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What is left of a file that could not be written; the failure before says why. */
function forget(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}
