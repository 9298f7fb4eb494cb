import { closeSync, openSync, readSync } from "node:fs";
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
    throw failure(name, error);
  }
}

function path(name: string): string {
  if (!/^[a-z0-9_]+(?:\/[\w.@:-]+)+$/.test(name) || name.split("/").includes("..")) {
    throw new RangeError(`Cannot use sysctl as it is not one's name: current value is "${name}"`);
  }
  return `/proc/sys/${name}`;
}

function failure(name: string, cause: unknown): SelvedgeError {
  return new SelvedgeError(`Cannot read sysctl ${name} as the kernel refuses`, {
    code: errorCode(cause),
    blame: "host",
    retry: "later",
    hint: "See that the agent may read /proc/sys: a unit's InaccessiblePaths= may hide it.",
    cause,
  });
}
