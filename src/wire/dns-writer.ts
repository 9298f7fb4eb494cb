import { HEADER_BYTES, MAX_MESSAGE_BYTES } from "./dns.ts";
import { EXTENDED_ERROR_BYTES, OPT_BYTES } from "./dns-edns.ts";
import { writeLatin1 } from "./dns-message.ts";
import { type DnsName, lowerName, MAX_NAME_BYTES, parentName, ROOT_NAME } from "./dns-name.ts";
import { dataLayout, type ResourceRecord } from "./dns-record.ts";

/** The furthest offset that a compression pointer reaches (RFC 1035 section 4.1.4). */
const MAX_POINTER = 0x3fff;

/** An OPT record still has to fit behind the records: TC over TCP would tell a client nothing that it can act on. */
const MAX_RECORDS_END = MAX_MESSAGE_BYTES - OPT_BYTES - EXTENDED_ERROR_BYTES;

/** Its owner, its fixed part and its names, and data that fills its 16-bit length. */
const MAX_RECORD_BYTES = 4 * MAX_NAME_BYTES + 0xffff;
/**
 * Where every writer writes: one is done before the next begins, and answers are made by the thousand. A record is
 * written before it is known to fit.
 */
const SCRATCH = new Uint8Array(MAX_RECORDS_END + MAX_RECORD_BYTES);

/**
 * Writes what follows the question of a response: records with compressed names. Pointers count from the message's
 * start, so the bytes fit behind every header and question of the same name, in whatever letter case it was asked.
 */
export class RecordWriter {
  readonly #bytes = SCRATCH;
  #length = 0;
  readonly #start: number;
  readonly #offsets = new Map<string, number>();

  /** @param question the name that the message asks for */
  constructor(question: DnsName) {
    this.#start = HEADER_BYTES + question.length + 4;
    this.#remember(question, HEADER_BYTES);
  }

  /** @returns false, and nothing is written, when a message with EDNS would exceed 65,535 bytes */
  write(record: ResourceRecord): boolean {
    const before = this.#length;
    this.#name(record.name, true);
    this.#uint16(record.type);
    this.#uint16(record.class);
    this.#uint16(record.ttl >>> 16);
    this.#uint16(record.ttl & 0xffff);
    const lengthAt = this.#length;
    this.#uint16(0);
    this.#raw(record.fixed);
    for (const name of record.names) this.#name(name, dataLayout(record.type).compress);
    this.#raw(record.rest);
    const dataBytes = this.#length - lengthAt - 2;
    if (this.#start + this.#length > MAX_RECORDS_END || dataBytes > 0xffff) {
      this.#length = before;
      // Names that were remembered in the bytes just given up must not be pointed at.
      for (const [name, offset] of this.#offsets) if (offset >= this.#start + before) this.#offsets.delete(name);
      return false;
    }
    this.#bytes[lengthAt] = dataBytes >> 8;
    this.#bytes[lengthAt + 1] = dataBytes & 0xff;
    return true;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #name(name: DnsName, compress: boolean): void {
    let rest = name;
    while (rest !== ROOT_NAME) {
      const offset = compress ? this.#offsets.get(lowerName(rest)) : undefined;
      if (offset !== undefined) {
        this.#literal(name.slice(0, name.length - rest.length), name);
        this.#uint16(0xc000 | offset);
        return;
      }
      rest = parentName(rest);
    }
    this.#literal(name, name);
  }

  /** @param text the part of `name` that stands here in full */
  #literal(text: string, name: DnsName): void {
    const at = this.#start + this.#length;
    writeLatin1(this.#bytes, this.#length, text);
    this.#length += text.length;
    for (let rest = name, skipped = 0; skipped < text.length && rest !== ROOT_NAME; ) {
      const offset = at + skipped;
      const lower = lowerName(rest);
      if (offset <= MAX_POINTER && !this.#offsets.has(lower)) this.#offsets.set(lower, offset);
      skipped += 1 + rest.charCodeAt(0);
      rest = parentName(rest);
    }
  }

  #remember(name: DnsName, offset: number): void {
    let at = offset;
    for (let rest = name; rest !== ROOT_NAME; rest = parentName(rest)) {
      this.#offsets.set(lowerName(rest), at);
      at += 1 + rest.charCodeAt(0);
    }
  }

  #uint16(value: number): void {
    this.#bytes[this.#length++] = value >> 8;
    this.#bytes[this.#length++] = value & 0xff;
  }

  #raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }
}
