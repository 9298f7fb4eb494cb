import { type DecodeError, fail, ok, type Result } from "../base/result.ts";

/**
 * A domain name as its uncompressed wire form, one character (0 to 255) a byte: "\x03www\x07example\x03com\x00".
 * Exact for every label, a map key as it stands, and each suffix at a label's start is again a name.
 */
export type DnsName = string & { readonly __brand: "DnsName" };

/** RFC 1035 section 2.3.4. */
export const MAX_NAME_BYTES = 255;
export const MAX_LABEL_BYTES = 63;

/** A name has at most 127 labels, and a pointer saves at least one. Longer chains only cost time. */
const MAX_POINTERS = 127;

export const ROOT_NAME = "\0" as DnsName;

/** @param labels each of 1 to 63 characters from 0 to 255 */
export function nameFromLabels(labels: readonly string[], below: DnsName = ROOT_NAME): DnsName {
  let name = "";
  for (const label of labels) name += String.fromCharCode(label.length) + label;
  return (name + below) as DnsName;
}

/** Without the root's empty label. */
export function nameLabels(name: DnsName): string[] {
  const labels: string[] = [];
  for (let at = 0; ; ) {
    const length = name.charCodeAt(at);
    if (!(length > 0)) return labels;
    labels.push(name.slice(at + 1, at + 1 + length));
    at += 1 + length;
  }
}

/** Drops the first label; the root's parent is the root. */
export function parentName(name: DnsName): DnsName {
  return name === ROOT_NAME ? name : (name.slice(1 + name.charCodeAt(0)) as DnsName);
}

/** ASCII only, as RFC 4343 has it: length bytes are below "A", so the whole name can be folded at once. */
export function lowerName(name: DnsName): DnsName {
  return (/[A-Z]/.test(name) ? name.replace(/[A-Z]+/g, (upper) => upper.toLowerCase()) : name) as DnsName;
}

/** Whether `name` is `zone` or below it; both in lower case. */
export function isWithin(name: DnsName, zone: DnsName): boolean {
  if (!name.endsWith(zone)) return false;
  let at = 0;
  while (at < name.length - zone.length) at += 1 + name.charCodeAt(at);
  return at === name.length - zone.length;
}

/** Presentation form (RFC 1035 section 5.1): "www.example.com", the final dot optional, "\." and "\DDD" escapes. */
export function parseName(text: string): Result<DnsName, DecodeError> {
  const bad = (why: string) => fail({ at: text.slice(0, MAX_NAME_BYTES), why });
  if (text.length > 4 * MAX_NAME_BYTES) return bad("a name has at most 255 bytes");
  if (text === "." || text === "") return text === "" ? bad("a name is not empty") : ok(ROOT_NAME);
  const labels: string[] = [];
  let label = "";
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === ".") {
      labels.push(label);
      label = "";
    } else if (char !== "\\") {
      if (char.charCodeAt(0) > 0x7f) return bad("a name has ASCII characters or \\DDD escapes only");
      label += char;
    } else {
      const digits = /^\d{3}/.exec(text.slice(i + 1, i + 4))?.[0];
      if (digits !== undefined && Number(digits) > 255) return bad("an escape \\DDD is at most \\255");
      const escaped = digits === undefined ? text.charAt(i + 1) : String.fromCharCode(Number(digits));
      if (escaped === "" || escaped.charCodeAt(0) > 255) return bad("an escape has one character or three digits");
      label += escaped;
      i += digits === undefined ? 1 : 3;
    }
  }
  if (label !== "") labels.push(label);
  if (labels.some((part) => part.length === 0 || part.length > MAX_LABEL_BYTES)) {
    return bad("a label has 1 to 63 bytes");
  }
  const name = nameFromLabels(labels);
  return name.length > MAX_NAME_BYTES ? bad("a name has at most 255 bytes") : ok(name);
}

/** Without the final dot, except for the root. */
export function formatName(name: DnsName): string {
  if (name === ROOT_NAME) return ".";
  return nameLabels(name)
    .map((label) => label.replace(/[^!-~]|[.\\"();@$]/g, escapeCharacter))
    .join(".");
}

function escapeCharacter(char: string): string {
  const code = char.charCodeAt(0);
  return code > 0x20 && code < 0x7f ? `\\${char}` : `\\${String(code).padStart(3, "0")}`;
}

export interface DecodedName {
  readonly name: DnsName;
  /** The offset after the name where it stands (after its first pointer). */
  readonly next: number;
}

/**
 * Reads a name, following compression (RFC 1035 section 4.1.4). A pointer has to go back, before the part that it
 * continues, so that no chain of pointers can loop.
 */
export function decodeName(bytes: Uint8Array, start: number): Result<DecodedName, DecodeError> {
  let name = "";
  let at = start;
  let lowest = start;
  let next = -1;
  let pointers = 0;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return fail({ at, why: "name runs past the end" });
    if (length === 0) {
      if (next < 0) next = at + 1;
      return ok({ name: `${name}\0` as DnsName, next });
    }
    if (length >= 0xc0) {
      const low = bytes[at + 1];
      if (low === undefined) return fail({ at, why: "name runs past the end" });
      if (next < 0) next = at + 2;
      const target = ((length & 0x3f) << 8) | low;
      if (target >= lowest) return fail({ at, why: "compression pointer does not go back" });
      if (++pointers > MAX_POINTERS) return fail({ at, why: "name has more than 127 compression pointers" });
      at = target;
      lowest = target;
      continue;
    }
    if (length > MAX_LABEL_BYTES) return fail({ at, why: "label type is neither a length nor a pointer" });
    const end = at + 1 + length;
    if (end > bytes.length) return fail({ at, why: "label runs past the end" });
    // One byte stays for the root's label.
    if (name.length + 1 + length + 1 > MAX_NAME_BYTES) return fail({ at, why: "name is longer than 255 bytes" });
    name += latin1(bytes, at, end);
    at = end;
  }
}

/** One character a byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] ?? 0);
  return text;
}
