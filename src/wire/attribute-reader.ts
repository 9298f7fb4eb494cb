import type { DecodeError } from "../base/result.ts";

/** struct nlattr, linux/netlink.h: u16 length with this header, u16 type. */
const NLA_HDRLEN = 4;
/** The upper two bits of a type are flags: nested, network byte order. */
const NLA_TYPE_MASK = 0x3fff;

const TEXT = new TextDecoder();
const NO_BYTES = new Uint8Array();

/**
 * Walks the attributes of a netlink payload without allocating.
 *
 * Whatever the bytes are, it stops within `length / 4` steps, never reads outside and never throws. A length that
 * does not fit, or a value read with another width than it has, is remembered in `fault` of this reader and of those
 * that it is nested in; the value is then 0 or empty. So a decoder reads on and looks at `fault` once, at its end.
 */
export class AttributeReader {
  /** Of the current attribute, without its flag bits. */
  type = 0;

  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #root: AttributeReader;
  #next: number;
  #start = 0;
  #size = 0;
  #fault: DecodeError | undefined;

  /** @param start of the first attribute; beyond the end there are none */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length, parent?: AttributeReader) {
    this.#bytes = bytes;
    this.#next = start;
    this.#end = end;
    this.#root = parent === undefined ? this : parent.#root;
  }

  get fault(): DecodeError | undefined {
    return this.#root.#fault;
  }

  /** The bytes of the current value. */
  get size(): number {
    return this.#size;
  }

  next(): boolean {
    const at = this.#next;
    const left = this.#end - at;
    // Fewer bytes than a header are padding, as the kernel's nla_for_each_attr has it.
    if (left < NLA_HDRLEN) return false;
    const length = this.#u16(at);
    if (length < NLA_HDRLEN || length > left) {
      this.#refuse(at, `an attribute of ${length} bytes does not fit the ${left} that are left`);
      this.#next = this.#end;
      return false;
    }
    this.type = this.#u16(at + 2) & NLA_TYPE_MASK;
    this.#start = at + NLA_HDRLEN;
    this.#size = length - NLA_HDRLEN;
    this.#next = at + ((length + 3) & ~3);
    return true;
  }

  u8(): number {
    return this.#has(1) ? (this.#bytes[this.#start] ?? 0) : 0;
  }

  u16be(): number {
    return this.#has(2) ? this.#u16be(this.#start) : 0;
  }

  u32(): number {
    return this.#has(4) ? (this.#u16(this.#start) | (this.#u16(this.#start + 2) << 16)) >>> 0 : 0;
  }

  i32(): number {
    return this.u32() | 0;
  }

  u32be(): number {
    return this.#has(4) ? this.#u32be(this.#start) : 0;
  }

  u64be(): bigint {
    return this.#has(8) ? (BigInt(this.#u32be(this.#start)) << 32n) | BigInt(this.#u32be(this.#start + 4)) : 0n;
  }

  /** Up to the first NUL, or all of it. */
  text(): string {
    const value = this.bytes();
    const nul = value.indexOf(0);
    return TEXT.decode(nul < 0 ? value : value.subarray(0, nul));
  }

  /** A view, as long-lived as the datagram; `slice()` it to keep it. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#start + this.#size);
  }

  /** As `bytes`; of another size they are empty, and a fault. */
  exactly(size: number): Uint8Array {
    return this.#has(size) ? this.bytes() : NO_BYTES;
  }

  /** The attributes inside the current one. */
  nested(): AttributeReader {
    return new AttributeReader(this.#bytes, this.#start, this.#start + this.#size, this);
  }

  #has(width: number): boolean {
    if (this.#size === width) return true;
    this.#refuse(this.#start, `attribute ${this.type} has ${this.#size} bytes where ${width} are read`);
    return false;
  }

  #refuse(at: number, why: string): void {
    this.#root.#fault ??= { at, why };
  }

  #u16(at: number): number {
    return (this.#bytes[at] ?? 0) | ((this.#bytes[at + 1] ?? 0) << 8);
  }

  #u16be(at: number): number {
    return ((this.#bytes[at] ?? 0) << 8) | (this.#bytes[at + 1] ?? 0);
  }

  #u32be(at: number): number {
    return ((this.#u16be(at) << 16) | this.#u16be(at + 2)) >>> 0;
  }
}
