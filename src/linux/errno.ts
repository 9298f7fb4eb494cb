import { constants } from "node:os";
import { type Retry, SelvedgeError } from "../base/errors.ts";

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(constants.errno).map(([name, n]) => [n, name]));

const NEEDS_ADMIN = "Run as root, or with CAP_NET_ADMIN in the unit's AmbientCapabilities.";
const NEEDS_KERNEL = "This kernel lacks the feature, or its module is not loaded: see `selvedge check`.";

/** What trying again and a person can do; the rest may pass by itself, such as a link that is not there yet. */
const ADVICE: Readonly<Record<string, { readonly retry: Retry; readonly hint: string }>> = {
  EPERM: { retry: "never", hint: NEEDS_ADMIN },
  EACCES: { retry: "never", hint: NEEDS_ADMIN },
  EOPNOTSUPP: { retry: "never", hint: NEEDS_KERNEL },
  EPROTONOSUPPORT: { retry: "never", hint: NEEDS_KERNEL },
  EAFNOSUPPORT: { retry: "never", hint: NEEDS_KERNEL },
};

/** "ENOENT" for 2; the numbers are the same on every machine that we build for. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`;
}

/**
 * The kernel's refusal; `code` is the name of the number, as in Node's errors.
 *
 * @param what completes "Cannot …", such as "add address 10.0.0.1/32 to eth0"
 * @param text the kernel's own sentence, when it gave one
 */
export function systemError(what: string, errno: number, text?: string): SelvedgeError {
  const code = errnoName(errno);
  const advice = ADVICE[code];
  return new SelvedgeError(`Cannot ${what} as the kernel refuses: ${code}${text === undefined ? "" : ` (${text})`}`, {
    code,
    blame: "host",
    retry: advice?.retry ?? "later",
    ...(advice === undefined ? {} : { hint: advice.hint }),
  });
}
