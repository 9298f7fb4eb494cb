import { type DecodeError, fail, ok, type Result } from "../base/result.ts";

/** ITU-T X.690, the distinguished encoding rules: tags of what certificates are made of (X.680 table 1). */
export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array<ArrayBuffer>;
  /** With its tag and length. */
  readonly whole: Uint8Array<ArrayBuffer>;
}

/** Beside each other: a certificate has ten, and as many extensions. */
export const DER_ELEMENTS_MAX = 64;
/** Section 8.1.3: lengths of up to 2^24 - 1, more than any bound on what is read here. */
const LENGTH_BYTES_MAX = 3;

/** Context-specific (X.680 section 8): "[n]". */
export function contextTag(number: number, constructed: boolean): number {
  return (constructed ? 0xa0 : 0x80) | number;
}

/** One element around what the parts make up one after the other. */
export function encodeDer(tag: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [tag, ...encodeLength(length)];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** @param dotted "2.5.29.14" (X.690 section 8.19) */
export function encodeObjectIdentifier(dotted: string): Uint8Array<ArrayBuffer> {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return encodeDer(DER.objectIdentifier, Uint8Array.from(bytes));
}

/** @param unusedBits of the last byte */
export function encodeBitString(bits: Uint8Array, unusedBits = 0): Uint8Array<ArrayBuffer> {
  return encodeDer(DER.bitString, Uint8Array.of(unusedBits), bits);
}

/** Elements one after the other; what is in them is not looked at. */
export function decodeDer(bytes: Uint8Array<ArrayBuffer>): Result<readonly DerElement[], DecodeError> {
  const elements: DerElement[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at;
    if (elements.length === DER_ELEMENTS_MAX) return fail({ at, why: `more than ${DER_ELEMENTS_MAX} elements` });
    const [tag = 0, first] = [bytes[at], bytes[at + 1]];
    if ((tag & 0x1f) === 0x1f) return fail({ at, why: "a tag of several bytes" });
    if (first === undefined) return fail({ at, why: "no length" });
    at += 2;
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0 || count > LENGTH_BYTES_MAX) return fail({ at, why: `a length of ${count} bytes` });
      length = 0;
      for (let i = 0; i < count; i++) length = length * 256 + (bytes[at++] ?? 0);
    }
    if (at + length > bytes.length) return fail({ at: start, why: `${length} bytes of content, which are not there` });
    elements.push({ tag, content: bytes.subarray(at, at + length), whole: bytes.subarray(start, at + length) });
    at += length;
  }
  return ok(elements);
}

function encodeLength(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const bytes = [length & 0xff];
  for (let left = length >> 8; left > 0; left >>= 8) bytes.unshift(left & 0xff);
  return [0x80 | bytes.length, ...bytes];
}
