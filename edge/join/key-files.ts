import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import { PrivateKey } from "../../src/certificate/private-key.ts";
import type { Joined } from "./join.ts";

const KEY = "tls.key";
const CERTIFICATE = "tls.crt";
const BUNDLE = "ca.crt";

/** Where a node keeps its key and what was issued for it. Only root may read it. */
export class KeyFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The key that is there; else a new one, on the disk before anybody hears of it. @throws SelvedgeError KEY_FILES */
  key(): PrivateKey {
    const path = join(this.#folder, KEY);
    try {
      return PrivateKey.parse(readFileSync(path, "utf8"));
    } catch (error) {
      if (error instanceof SelvedgeError) throw error;
      if (errorCode(error) !== "ENOENT") throw failed("read", path, error);
    }
    const key = PrivateKey.generate();
    this.#write(KEY, key.pem(), 0o600);
    return key;
  }

  /** @throws SelvedgeError KEY_FILES */
  keep({ certificate, bundle }: Joined): void {
    this.#write(BUNDLE, bundle, 0o644);
    this.#write(CERTIFICATE, certificate, 0o644);
  }

  #write(name: string, text: string, mode: number): void {
    const path = join(this.#folder, name);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.new`, text, { mode });
      // The mode of a file that a crash left stays.
      chmodSync(`${path}.new`, mode);
      sync(`${path}.new`);
      renameSync(`${path}.new`, path);
      sync(this.#folder);
    } catch (cause) {
      throw failed("write", path, cause);
    }
  }
}

function failed(what: "read" | "write", path: string, cause: unknown): SelvedgeError {
  return new SelvedgeError(`Cannot ${what} ${path}: ${errorCode(cause)}`, {
    code: "KEY_FILES",
    blame: "host",
    retry: "later",
    hint: "Run it as root, on a file system that is writable.",
    cause,
  });
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
