import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { systemError } from "./errno.ts";
import { libc } from "./libc.ts";

/** sys/file.h */
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * A lock on a file, made where it is missing, which programs of any language hold together by flock(2). The kernel
 * lets it go when its holder ends, however that happens.
 *
 * @returns what lets it go; undefined while another program holds it
 */
export function tryLockFile(path: string): Disposable | undefined {
  const descriptor = openSync(path, "a", 0o600);
  const { errno } = libc().flock(descriptor, LOCK_EX | LOCK_NB);
  if (errno === 0) return { [Symbol.dispose]: () => closeSync(descriptor) };
  closeSync(descriptor);
  if (errno === constants.errno.EWOULDBLOCK) return undefined;
  throw systemError(`lock ${path}`, errno);
}
