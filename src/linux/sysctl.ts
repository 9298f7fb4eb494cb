import { closeSync, openSync, readdirSync, readSync, writeFileSync } from "node:fs";
import { errorCode, SelvedgeError } from "../base/errors.ts";

/** One page: no setting of the kernel is longer. */
const VALUE_LIMIT = 4096;

/**
 * @param name with slashes, such as "net/ipv4/ip_forward": link names may contain dots
 * @returns without the line's end; undefined where the kernel has no such setting
 */
export function readSysctl(name: string): string | undefined {
  const file = path(name);
  const buffer = Buffer.alloc(VALUE_LIMIT);
  try {
    const fd = openSync(file, "r");
    try {
      return buffer.toString("utf8", 0, readSync(fd, buffer)).trimEnd();
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw failure("read", name, error);
  }
}

/** Does nothing where it has the value already. @returns false where the kernel has no such setting */
export function writeSysctl(name: string, value: string): boolean {
  const before = readSysctl(name);
  if (before === undefined) return false;
  if (before === value) return true;
  try {
    writeFileSync(path(name), value);
    return true;
  } catch (error) {
    throw failure("write", name, error);
  }
}

/** What stands below a name, such as the links below "net/ipv6/conf"; nothing where the kernel has no such setting. */
export function listSysctls(name: string): readonly string[] {
  try {
    return readdirSync(path(name));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw failure("read", name, error);
  }
}

function path(name: string): string {
  if (!/^[a-z0-9_]+(?:\/[\w.@:-]+)+$/.test(name) || name.split("/").includes("..")) {
    throw new RangeError(`Cannot use sysctl as it is not one's name: current value is "${name}"`);
  }
  return `/proc/sys/${name}`;
}

function failure(what: "read" | "write", name: string, cause: unknown): SelvedgeError {
  return new SelvedgeError(`Cannot ${what} sysctl ${name} as the kernel refuses`, {
    code: errorCode(cause),
    blame: "host",
    retry: "later",
    hint: "See that the agent may read /proc/sys: a unit's InaccessiblePaths= may hide it.",
    cause,
  });
}
