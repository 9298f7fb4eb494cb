import { AttributeReader } from "./attribute-reader.ts";
import { NetlinkWriter } from "./netlink-writer.ts";
import { type Expression, encodeExpression } from "./nftables-expression.ts";

const NLA_F_NESTED = 0x8000;
/** Our own encodings nest five deep; the kernel's are compared along them. */
const DEPTH_LIMIT = 8;

/**
 * Whether a rule of a dump is the one that was asked for: every attribute that we would send is there with the same
 * value, in any order. What the kernel adds of its own does not count.
 *
 * @param dumped the inside of NFTA_RULE_EXPRESSIONS
 */
export function isSameRule(expressions: readonly Expression[], dumped: Uint8Array): boolean {
  const actual = split(dumped);
  if (actual === undefined || actual.length !== expressions.length) return false;
  return expressions.every((expression, i) => {
    const [, there] = actual[i] ?? [];
    return there !== undefined && includes(there, encodeInside(expression), 0);
  });
}

function encodeInside(expression: Expression): Uint8Array {
  const writer = new NetlinkWriter(512);
  encodeExpression(writer, expression);
  return split(writer.bytes())?.[0]?.[1] ?? new Uint8Array();
}

/** The attributes with their types and values; undefined when they do not fit. */
function split(bytes: Uint8Array): (readonly [number, Uint8Array])[] | undefined {
  const reader = new AttributeReader(bytes);
  const parts: (readonly [number, Uint8Array])[] = [];
  while (reader.next()) parts.push([reader.type, reader.bytes()]);
  return reader.fault === undefined ? parts : undefined;
}

function includes(actual: Uint8Array, wanted: Uint8Array, depth: number): boolean {
  if (depth > DEPTH_LIMIT) return false;
  const there = new Map(split(actual) ?? []);
  const view = new DataView(wanted.buffer, wanted.byteOffset, wanted.byteLength);
  let at = 0;
  while (at + 4 <= wanted.length) {
    const length = view.getUint16(at, true);
    const type = view.getUint16(at + 2, true);
    const value = wanted.subarray(at + 4, at + length);
    const found = there.get(type & ~NLA_F_NESTED);
    if (found === undefined) return false;
    const same = (type & NLA_F_NESTED) === 0 ? sameBytes(found, value) : includes(found, value, depth + 1);
    if (!same) return false;
    at += (length + 3) & ~3;
  }
  return true;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
