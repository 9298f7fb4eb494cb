import type { MonotonicTime } from "../../src/base/clock.ts";
import type { Answer } from "./answer.ts";

/** An answer from upstream, and until when it is good for what. */
export interface KeptAnswer {
  readonly answer: Answer;
  readonly stored: MonotonicTime;
  readonly expires: MonotonicTime;
  /** A refresh failed: the stale answer goes out without another try until then. */
  readonly recheckAt: MonotonicTime;
}

/** No record of a generation. */
export const NOWHERE = -1;

/** A power of two. */
const BUCKETS = 8192;
const FIRST_BYTES = 16 * 1024;

/** Where a record has what; the key follows, in Latin-1, and then the answer's body. */
const NEXT = 0; // i32: the bucket's next record
const HASH = 4; // i32
const STORED = 8; // f64, as the other times
const EXPIRES = 16;
const RECHECK_AT = 24;
const KEY_BYTES = 32; // u16, as the rest
const BODY_BYTES = 34;
const BODY_ROOM = 36;
const FLAGS = 38;
const ANSWERS = 40;
const AUTHORITIES = 42;
const ADDITIONALS = 44;
const TURN_FROM = 46;
const TURN_BYTES = 48;
const RECORD_BYTES = 50;

/**
 * Answers by key, in one run of bytes with an index of numbers. As objects, ten thousand of them that come and go one by
 * one leave holes all over the heap, which then takes three times what is in it and never shrinks.
 */
export class AnswerGeneration {
  readonly #bytesLimit: number;
  readonly #entriesLimit: number;
  readonly #heads = new Int32Array(BUCKETS).fill(NOWHERE);
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;
  #count = 0;

  constructor(limits: { readonly bytes: number; readonly entries: number }) {
    this.#bytesLimit = limits.bytes;
    this.#entriesLimit = limits.entries;
  }

  get count(): number {
    return this.#count;
  }

  get usedBytes(): number {
    return this.#end;
  }

  /** @returns where the record is, or NOWHERE */
  find(key: string, hash: number): number {
    const view = this.#view;
    for (let at = this.#head(hash); at !== NOWHERE; at = view.getInt32(at + NEXT, true)) {
      if (view.getInt32(at + HASH, true) === hash && this.#hasKey(at, key)) return at;
    }
    return NOWHERE;
  }

  /** A copy: the record may change before it is used. */
  read(at: number): KeptAnswer {
    const view = this.#view;
    const body = at + RECORD_BYTES + view.getUint16(at + KEY_BYTES, true);
    return {
      answer: {
        flags: view.getUint16(at + FLAGS, true),
        answers: view.getUint16(at + ANSWERS, true),
        authorities: view.getUint16(at + AUTHORITIES, true),
        additionals: view.getUint16(at + ADDITIONALS, true),
        turnFrom: view.getUint16(at + TURN_FROM, true),
        turnBytes: view.getUint16(at + TURN_BYTES, true),
        body: this.#bytes.slice(body, body + view.getUint16(at + BODY_BYTES, true)),
      },
      stored: view.getFloat64(at + STORED, true) as MonotonicTime,
      expires: view.getFloat64(at + EXPIRES, true) as MonotonicTime,
      recheckAt: view.getFloat64(at + RECHECK_AT, true) as MonotonicTime,
    };
  }

  /** In the place of what the key has, where there is room for it. @returns false when this generation is full */
  put(key: string, hash: number, kept: KeptAnswer): boolean {
    const before = this.find(key, hash);
    if (before !== NOWHERE && kept.answer.body.length <= this.#view.getUint16(before + BODY_ROOM, true)) {
      this.#write(before, key.length, kept);
      return true;
    }
    if (before !== NOWHERE) this.remove(before);
    const { length } = kept.answer.body;
    // Times are read eight bytes at a time.
    const bytes = (RECORD_BYTES + key.length + length + 7) & ~7;
    if (this.#count >= this.#entriesLimit || !this.#makeRoom(bytes)) return false;
    const at = this.#end;
    this.#end += bytes;
    this.#count += 1;
    const view = this.#view;
    const bucket = hash & (BUCKETS - 1);
    view.setInt32(at + NEXT, this.#head(hash), true);
    view.setInt32(at + HASH, hash, true);
    view.setUint16(at + KEY_BYTES, key.length, true);
    view.setUint16(at + BODY_ROOM, length, true);
    for (let i = 0; i < key.length; i++) this.#bytes[at + RECORD_BYTES + i] = key.charCodeAt(i);
    this.#write(at, key.length, kept);
    this.#heads[bucket] = at;
    return true;
  }

  /** Its bytes are free again when all are. */
  remove(at: number): void {
    const view = this.#view;
    const hash = view.getInt32(at + HASH, true);
    const next = view.getInt32(at + NEXT, true);
    this.#count -= 1;
    let before = this.#head(hash);
    if (before === at) {
      this.#heads[hash & (BUCKETS - 1)] = next;
      return;
    }
    while (view.getInt32(before + NEXT, true) !== at) before = view.getInt32(before + NEXT, true);
    view.setInt32(before + NEXT, next, true);
  }

  clear(): void {
    this.#heads.fill(NOWHERE);
    this.#end = 0;
    this.#count = 0;
  }

  #head(hash: number): number {
    return this.#heads[hash & (BUCKETS - 1)] ?? NOWHERE;
  }

  #hasKey(at: number, key: string): boolean {
    if (this.#view.getUint16(at + KEY_BYTES, true) !== key.length) return false;
    for (let i = 0; i < key.length; i++) if (this.#bytes[at + RECORD_BYTES + i] !== key.charCodeAt(i)) return false;
    return true;
  }

  #write(at: number, keyBytes: number, { answer, stored, expires, recheckAt }: KeptAnswer): void {
    const view = this.#view;
    view.setFloat64(at + STORED, stored, true);
    view.setFloat64(at + EXPIRES, expires, true);
    view.setFloat64(at + RECHECK_AT, recheckAt, true);
    view.setUint16(at + BODY_BYTES, answer.body.length, true);
    view.setUint16(at + FLAGS, answer.flags, true);
    view.setUint16(at + ANSWERS, answer.answers, true);
    view.setUint16(at + AUTHORITIES, answer.authorities, true);
    view.setUint16(at + ADDITIONALS, answer.additionals, true);
    view.setUint16(at + TURN_FROM, answer.turnFrom, true);
    view.setUint16(at + TURN_BYTES, answer.turnBytes, true);
    this.#bytes.set(answer.body, at + RECORD_BYTES + keyBytes);
  }

  #makeRoom(bytes: number): boolean {
    const needed = this.#end + bytes;
    if (needed > this.#bytesLimit) return false;
    if (needed <= this.#bytes.length) return true;
    let length = this.#bytes.length;
    while (length < needed) length *= 2;
    const grown = new Uint8Array(Math.min(length, this.#bytesLimit));
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
    return true;
  }
}
