import { type DecodeError, fail, ok, type Result } from "./result.ts";

/**
 * An IP address as its canonical text: dotted quad without leading zeros, or RFC 5952. Two addresses are the same
 * exactly when the strings are, so an address is a map key as it stands.
 */
export type Ip = string & { readonly __brand: "Ip" };

export type Family = 4 | 6;

/** Network byte order, 4 or 16 bytes. */
export type IpBytes = Uint8Array;

export interface Prefix {
  /** With the host bits cleared. */
  readonly address: Ip;
  readonly length: number;
}

const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const LETTER_A = 0x61;
const LETTER_F = 0x66;

export function parseIp(text: string): Result<Ip, DecodeError> {
  const isV6 = text.includes(":");
  const bytes = isV6 ? ipv6Bytes(text) : ipv4Bytes(text);
  if (bytes === undefined) return fail({ at: text.slice(0, 64), why: "not an IPv4 or IPv6 address" });
  // Of IPv4 nothing but the canonical text is taken.
  return ok(isV6 ? ipFromBytes(bytes) : (text as Ip));
}

export function ipFamily(ip: Ip): Family {
  return ip.includes(":") ? 6 : 4;
}

export function ipBytes(ip: Ip): IpBytes {
  const bytes = ipFamily(ip) === 4 ? ipv4Bytes(ip) : ipv6Bytes(ip);
  if (bytes === undefined) throw new RangeError(`Cannot read address as it is not canonical: current value is ${ip}`);
  return bytes;
}

/** @param bytes 4 or 16 bytes */
export function ipFromBytes(bytes: IpBytes): Ip {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as Ip;
  if (bytes.length !== 16) throw new RangeError(`Cannot make an address as bytes are not 4 or 16: got ${bytes.length}`);
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  const [start, length] = longestZeroRun(groups);
  // RFC 5952 section 5: an IPv4-mapped address keeps its dotted tail.
  if (start === 0 && length === 5 && groups[5] === 0xffff) {
    return `::ffff:${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}` as Ip;
  }
  if (length < 2) return formatGroups(groups, 0, 8) as Ip;
  return `${formatGroups(groups, 0, start)}::${formatGroups(groups, start + length, 8)}` as Ip;
}

function formatGroups(groups: readonly number[], start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += `${i > start ? ":" : ""}${groups[i]?.toString(16)}`;
  return text;
}

export function parsePrefix(text: string): Result<Prefix, DecodeError> {
  const [address, length, ...rest] = text.split("/");
  const ip = parseIp(address ?? "");
  if (!ip.ok) return ip;
  const most = ipFamily(ip.value) === 4 ? 32 : 128;
  if (rest.length > 0 || length === undefined || !/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > most) {
    return fail({ at: text.slice(0, 64), why: `not an address with a prefix length from 0 to ${most}` });
  }
  return ok(makePrefix(ip.value, Number(length)));
}

/** Clears the host bits. */
export function makePrefix(ip: Ip, length: number): Prefix {
  const bytes = ipBytes(ip);
  for (let i = 0; i < bytes.length; i++) {
    const kept = Math.min(8, Math.max(0, length - 8 * i));
    bytes[i] = (bytes[i] ?? 0) & (0xff00 >> kept) & 0xff;
  }
  return { address: ipFromBytes(bytes), length };
}

export function formatPrefix(prefix: Prefix): string {
  return `${prefix.address}/${prefix.length}`;
}

export function prefixContains(prefix: Prefix, ip: Ip): boolean {
  return ipFamily(prefix.address) === ipFamily(ip) && makePrefix(ip, prefix.length).address === prefix.address;
}

/** Whether all of `inner` is inside `outer`. */
export function prefixCovers(outer: Prefix, inner: Prefix): boolean {
  return outer.length <= inner.length && prefixContains(outer, inner.address);
}

/** The longest prefix that covers all of them; undefined for none. @param prefixes of one family */
export function commonPrefix([first, ...rest]: readonly Prefix[]): Prefix | undefined {
  let common = first;
  for (const prefix of rest) {
    while (common !== undefined && !prefixCovers(common, prefix)) {
      common = makePrefix(common.address, common.length - 1);
    }
  }
  return common;
}

/** Digit by digit: ten thousand services bring a hundred thousand addresses at once, and again for the kernel. */
function ipv4Bytes(text: string): IpBytes | undefined {
  const bytes = new Uint8Array(4);
  let at = 0;
  let value: number | undefined;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === DOT) {
      if (value === undefined || at === 3) return undefined;
      bytes[at++] = value;
      value = undefined;
      continue;
    }
    const digit = char - ZERO;
    // What begins with 0 is octal to some.
    if (digit < 0 || digit > 9 || value === 0) return undefined;
    value = 10 * (value ?? 0) + digit;
    if (value > 255) return undefined;
  }
  if (value === undefined || at !== 3) return undefined;
  bytes[3] = value;
  return bytes;
}

/** Digit by digit as well. RFC 4291 section 2.2: "::" stands for the groups that are missing, one at least. */
function ipv6Bytes(text: string): IpBytes | undefined {
  const bytes = new Uint8Array(16);
  let at = 0;
  let gap = text.startsWith("::") ? 0 : undefined;
  for (let i = gap === undefined ? 0 : 2; i < text.length; ) {
    const start = i;
    let value = 0;
    for (let digit = hexDigit(text.charCodeAt(i)); digit !== undefined; digit = hexDigit(text.charCodeAt(++i))) {
      value = 16 * value + digit;
    }
    if (text.charCodeAt(i) === DOT) {
      const tail = ipv4Bytes(text.slice(start));
      if (tail === undefined || at > 12) return undefined;
      bytes.set(tail, at);
      at += 4;
      break;
    }
    if (i === start || i > start + 4 || at === 16) return undefined;
    bytes[at++] = value >> 8;
    bytes[at++] = value & 0xff;
    if (i === text.length) break;
    if (text.charCodeAt(i++) !== COLON || i === text.length) return undefined;
    if (text.charCodeAt(i) !== COLON) continue;
    if (gap !== undefined) return undefined;
    gap = at;
    i += 1;
  }
  if (gap === undefined) return at === 16 ? bytes : undefined;
  if (at === 16) return undefined;
  const behind = 16 - (at - gap);
  bytes.copyWithin(behind, gap, at);
  return bytes.fill(0, gap, behind);
}

/** @returns undefined for what is none, NaN behind the end of a text among it */
function hexDigit(char: number): number | undefined {
  if (char >= ZERO && char <= NINE) return char - ZERO;
  const letter = char | 0x20;
  return letter >= LETTER_A && letter <= LETTER_F ? letter - LETTER_A + 10 : undefined;
}

function longestZeroRun(groups: readonly number[]): readonly [start: number, length: number] {
  let best: readonly [number, number] = [0, 0];
  for (let i = 0; i < groups.length; i++) {
    let length = 0;
    while (groups[i + length] === 0) length++;
    if (length > best[1]) best = [i, length];
    i += length;
  }
  return best;
}
