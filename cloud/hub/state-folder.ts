import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import type { Scope } from "../../src/base/scope.ts";
import { tryLockFile } from "../../src/linux/file-lock.ts";

const LOCK = "lock";

/** What outlives the hub beside the manifests: small files, keys among them, which only their owner may read. */
export class StateFolder {
  readonly path: string;

  /** @throws SelvedgeError HUB_STATE: others may read it, or it cannot be made */
  constructor(path: string) {
    this.path = path;
    attempt("use", path, () => mkdirSync(path, { recursive: true, mode: 0o700 }));
    const mode = statSync(path).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw stateError(`Cannot keep keys in ${path} as others may open it: its mode is 0${mode.toString(8)}`);
    }
  }

  /** Whether `folder` is this one, or one of them is in the other: manifests are handed around, keys are not. */
  overlaps(folder: string): boolean {
    const [a, b] = [`${realpathSync(this.path)}/`, `${realpathSync(folder)}/`];
    return a.startsWith(b) || b.startsWith(a);
  }

  /**
   * For as long as the scope lasts, and this process: two hubs would sign with two authorities, and take back what the
   * other has given out.
   *
   * @throws SelvedgeError HUB_STATE: another hub has it
   */
  lock(scope: Scope): void {
    const held = attempt("lock", this.path, () => tryLockFile(join(this.path, LOCK)));
    if (held !== undefined) {
      scope.onClose("state folder", () => held[Symbol.dispose]());
      return;
    }
    throw new SelvedgeError(`Cannot keep keys in ${this.path} as another hub does`, {
      code: "HUB_STATE",
      blame: "user",
      retry: "later",
      hint: "Stop the other hub, or give this one a --state-dir of its own.",
    });
  }

  /** Names that begin with the prefix. */
  names(prefix: string): readonly string[] {
    const names = attempt("read", this.path, () => readdirSync(this.path));
    return names.filter((name) => name.startsWith(prefix) && !name.endsWith(".new"));
  }

  read(name: string): string | undefined {
    return attempt("read", join(this.path, name), () => {
      try {
        return readFileSync(join(this.path, name), "utf8");
      } catch (error) {
        if (errorCode(error) === "ENOENT") return undefined;
        throw error;
      }
    });
  }

  /** Whole, or not at all. */
  write(name: string, text: string): void {
    const path = join(this.path, name);
    attempt("write", path, () => {
      writeFileSync(`${path}.new`, text, { mode: 0o600 });
      // The mode of a file that a crash left stays.
      chmodSync(`${path}.new`, 0o600);
      sync(`${path}.new`);
      renameSync(`${path}.new`, path);
      sync(this.path);
    });
  }

  /** @returns false: it was not there */
  remove(name: string): boolean {
    const path = join(this.path, name);
    return attempt("remove", path, () => {
      try {
        rmSync(path);
      } catch (error) {
        if (errorCode(error) === "ENOENT") return false;
        throw error;
      }
      sync(this.path);
      return true;
    });
  }
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function attempt<T>(verb: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw stateError(`Cannot ${verb} ${path}: ${errorCode(cause)}`, cause);
  }
}

export function stateError(message: string, cause?: unknown): SelvedgeError {
  return new SelvedgeError(message, {
    code: "HUB_STATE",
    blame: "user",
    retry: "later",
    hint: "Give --state-dir a folder of its own, outside of the manifests, that only the hub's user may open (chmod 700).",
    cause,
  });
}
