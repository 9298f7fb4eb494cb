import { parseIp } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";

/** RFC 1035 section 2.3.4, as text without the last dot. */
const HOST_NAME_LENGTH_MAX = 253;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** An address in its canonical form, or a host name in lower case. */
export function parsePublicAddress(text: string): Result<string, DecodeError> {
  const address = parseIp(text);
  if (address.ok) return address;
  const name = text.toLowerCase();
  const labels = name.split(".");
  // What ends in a number is an address to inet_aton(3), hexadecimal ones included, so it cannot be a name.
  const numeric = /^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "");
  if (name.length <= HOST_NAME_LENGTH_MAX && !numeric && labels.every((label) => LABEL.test(label))) return ok(name);
  return fail({ at: text.slice(0, 64), why: "neither an address nor a host name" });
}
