import { NLMSG_HDRLEN } from "./netlink.ts";

const NLA_HDRLEN = 4;
const NLA_F_NESTED = 0x8000;
const NLA_LENGTH_LIMIT = 0xffff;

const TEXT = new TextEncoder();

/**
 * Encodes netlink messages one after another into one growing buffer.
 *
 * The position is always a multiple of four, as netlink demands, so that numbers are stored as whole words. Words are
 * little-endian: so are all machines that we build for, and rtnetlink is in the host's order. nfnetlink wants its
 * values in network order: the methods that end in `be`.
 */
export class NetlinkWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #words: Uint32Array<ArrayBuffer>;
  #length = 0;
  #message = 0;

  constructor(initialBytes = 4096) {
    this.#bytes = new Uint8Array((initialBytes + 3) & ~3);
    this.#words = new Uint32Array(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written: a view that the next write may outdate. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was written and keeps the memory. */
  reset(): void {
    this.#length = 0;
  }

  beginMessage(type: number, flags: number, sequence: number): void {
    this.#message = this.#length;
    const at = this.#reserve(NLMSG_HDRLEN);
    this.#words[at + 1] = type | (flags << 16);
    this.#words[at + 2] = sequence;
    // The port 0 is the kernel's, and lets it fill in ours.
    this.#words[at + 3] = 0;
  }

  endMessage(): void {
    this.#words[this.#message >> 2] = this.#length - this.#message;
  }

  /** Four bytes in the order given: the small fields of a family's header. */
  octets(a: number, b: number, c: number, d: number): void {
    const at = this.#reserve(4);
    this.#words[at] = (a & 0xff) | ((b & 0xff) << 8) | ((c & 0xff) << 16) | (d << 24);
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    this.#words[at] = value;
  }

  u32be(value: number): void {
    const at = this.#reserve(4);
    this.#words[at] = swap32(value);
  }

  attrU8(type: number, value: number): void {
    this.#attrWord(type, 1, value & 0xff);
  }

  attrU16be(type: number, value: number): void {
    this.#attrWord(type, 2, ((value & 0xff) << 8) | ((value >> 8) & 0xff));
  }

  attrU32(type: number, value: number): void {
    this.#attrWord(type, 4, value);
  }

  attrU32be(type: number, value: number): void {
    this.#attrWord(type, 4, swap32(value));
  }

  attrU64be(type: number, value: bigint): void {
    const at = this.#reserve(NLA_HDRLEN + 8);
    this.#words[at] = (NLA_HDRLEN + 8) | (type << 16);
    this.#words[at + 1] = swap32(Number((value >> 32n) & 0xffffffffn));
    this.#words[at + 2] = swap32(Number(value & 0xffffffffn));
  }

  /** With the NUL that ends it. */
  attrText(type: number, text: string): void {
    const most = text.length * 3 + 1;
    const start = this.#reserve(NLA_HDRLEN + ((most + 3) & ~3)) << 2;
    const size = this.#encodeText(start + NLA_HDRLEN, text) + 1;
    const end = start + NLA_HDRLEN + size;
    this.#bytes.fill(0, end - 1, (end + 3) & ~3);
    this.#length = (end + 3) & ~3;
    this.#header(start, type, NLA_HDRLEN + size);
  }

  attrBytes(type: number, value: Uint8Array): void {
    const start = this.#length;
    const at = this.#reserve((NLA_HDRLEN + value.length + 3) & ~3);
    // Padding is zero, whatever the buffer held before.
    this.#words[(this.#length >> 2) - 1] = 0;
    this.#bytes.set(value, (at << 2) + NLA_HDRLEN);
    this.#header(start, type, NLA_HDRLEN + value.length);
  }

  /** @returns what `endNested` needs */
  beginNested(type: number): number {
    const start = this.#length;
    const at = this.#reserve(NLA_HDRLEN);
    this.#words[at] = (type | NLA_F_NESTED) << 16;
    return start;
  }

  /** @throws RangeError when what is nested does not fit the 16 bits of its length: whoever fills it must divide it */
  endNested(start: number): void {
    this.#header(start, (this.#words[start >> 2] ?? 0) >>> 16, this.#length - start);
  }

  #attrWord(type: number, size: number, word: number): void {
    const at = this.#reserve(8);
    this.#words[at] = (NLA_HDRLEN + size) | (type << 16);
    this.#words[at + 1] = word;
  }

  #header(start: number, type: number, length: number): void {
    if (length > NLA_LENGTH_LIMIT) {
      throw new RangeError(`Cannot encode attribute ${type & ~NLA_F_NESTED} as it is too long: got ${length} bytes`);
    }
    this.#words[start >> 2] = length | (type << 16);
  }

  #encodeText(at: number, text: string): number {
    const bytes = this.#bytes;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return TEXT.encodeInto(text, bytes.subarray(at)).written;
      bytes[at + i] = code;
    }
    return text.length;
  }

  /** Makes room for `size` bytes, a multiple of four. @returns the index of the first word */
  #reserve(size: number): number {
    const start = this.#length;
    this.#length = start + size;
    if (this.#length > this.#bytes.length) this.#grow();
    return start >> 2;
  }

  #grow(): void {
    const bytes = new Uint8Array(Math.max(2 * this.#bytes.length, (this.#length + 3) & ~3));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#words = new Uint32Array(bytes.buffer);
  }
}

function swap32(value: number): number {
  return ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}
