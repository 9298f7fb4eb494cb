import type { Random } from "./random.ts";
import type { FuzzTarget } from "./target.ts";

/** Ends of ranges, and what is one beside them. */
const TELLING_BYTES = [0, 1, 2, 3, 4, 0x0c, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xfe, 0xff];
const TELLING_NUMBERS = [0, 1, 3, 4, 5, 15, 16, 17, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
/** What stands where a value of JSON or YAML was expected. */
const STRANGERS = ["null", "true", "-1", "0", "1e999", "65536", '""', "[]", "{}", '"\\u0000"', "[[[[[[]]]]]]"];
const MOST_CHANGES = 4;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
const BRACE = 0x7b;
const BRACE_END = 0x7d;
const NEWLINE = 0x0a;
const NOTHING = new Uint8Array();

/** Changes seeds in one piece of memory, so that millions of cases cost no garbage. */
export class Mutator {
  readonly #random: Random;
  readonly #bytes: Uint8Array;
  readonly #order: boolean;
  readonly #text: boolean;
  readonly #json: boolean;
  readonly #words: readonly Uint8Array[];
  readonly #values: readonly Uint8Array[];
  readonly #view: DataView;
  /** By their lengths: a view is dear to make, and there are millions of cases. */
  readonly #results: Uint8Array[] = [];
  #length = 0;

  constructor({ mostBytes, form, words = [] }: Pick<FuzzTarget, "mostBytes" | "form" | "words">, random: Random) {
    this.#random = random;
    this.#bytes = new Uint8Array(mostBytes);
    this.#view = new DataView(this.#bytes.buffer);
    this.#order = form === "little-endian";
    this.#text = form === "text" || form === "json";
    this.#json = form === "json";
    const all = this.#text ? [...words, ...STRANGERS] : words;
    this.#words = all.map((word) => (typeof word === "string" ? Buffer.from(word) : word));
    this.#values = this.#json ? this.#words.filter(isJson) : this.#words;
  }

  /**
   * @param other another seed, to splice with
   * @returns a view that the next call outdates; one in sixteen is the seed itself
   */
  mutate(seed: Uint8Array, other: Uint8Array): Uint8Array {
    this.#length = 0;
    this.#replace(0, 0, seed);
    const random = this.#random();
    if (random % 16 > 0) {
      // One broken bracket hides whatever stands inside.
      const gentle = this.#json && (random >>> 4) % 4 > 0;
      for (let n = (random >>> 8) % MOST_CHANGES; n >= 0; n--) {
        if (gentle) this.#strange(this.#below(this.#length));
        else this.#change(other);
      }
    }
    this.#results[this.#length] ??= this.#bytes.subarray(0, this.#length);
    return this.#results[this.#length] ?? NOTHING;
  }

  #change(other: Uint8Array): void {
    const kind = this.#random() % 12;
    const at = this.#below(this.#length);
    switch (kind) {
      case 0:
        this.#bytes[at] = (this.#bytes[at] ?? 0) ^ (1 << (this.#random() & 7));
        break;
      case 1:
        this.#bytes[at] = this.#random();
        break;
      case 2:
        this.#bytes[at] = TELLING_BYTES[this.#below(TELLING_BYTES.length)] ?? 0;
        break;
      case 3:
        this.#length = at;
        break;
      case 4:
        this.#replace(at, this.#below(this.#length - at), NOTHING);
        break;
      case 5: {
        const from = this.#below(this.#length);
        this.#replace(at, 0, this.#bytes.slice(from, from + this.#below(64)));
        break;
      }
      case 6:
        this.#length = at;
        this.#replace(at, 0, other.subarray(this.#below(other.length)));
        break;
      case 7:
      case 8:
        this.#word(at);
        break;
      default:
        if (this.#text) this.#strange(at);
        else this.#lie(at);
    }
  }

  #below(limit: number): number {
    return limit <= 1 ? 0 : this.#random() % limit;
  }

  #word(at: number): void {
    const word = this.#words[this.#below(this.#words.length)];
    if (word !== undefined) this.#replace(at, this.#random() % 2 === 0 ? 0 : word.length, word);
  }

  /** Puts a number where a length may be: the most that fits, one more, one less, or an end of its range. */
  #lie(at: number): void {
    const width = this.#random() % 2 === 0 ? 2 : 4;
    const place = this.#random() % 4 === 0 ? at : at & ~3;
    if (place + width > this.#length) return;
    const left = this.#length - place;
    const kind = this.#random() % 4;
    const number = kind === 0 ? left + this.#below(3) - 1 : (TELLING_NUMBERS[this.#below(TELLING_NUMBERS.length)] ?? 0);
    const old = width === 2 ? this.#view.getUint16(place, this.#order) : this.#view.getUint32(place, this.#order);
    const value = kind === 1 ? old + this.#below(9) - 4 : number;
    if (width === 2) this.#view.setUint16(place, value, this.#order);
    else this.#view.setUint32(place, value, this.#order);
  }

  /** Another value for the next one of a document. */
  #strange(at: number): void {
    const start = this.#valueAfter(at);
    const word = this.#values[this.#below(this.#values.length)];
    if (word !== undefined) this.#replace(start, this.#valueEnd(start) - start, word);
  }

  /** Behind the next colon or bracket: behind a comma may be a name. */
  #valueAfter(at: number): number {
    const bytes = this.#bytes;
    const length = this.#length;
    let i = at;
    for (let n = 0; n < length; n++) {
      const byte = bytes[i];
      i += 1;
      if (byte === COLON || byte === BRACKET) return bytes[i] === 0x20 ? Math.min(i + 1, length) : i;
      if (i === length) i = 0;
    }
    return at;
  }

  #valueEnd(start: number): number {
    const bytes = this.#bytes;
    const length = this.#length;
    let depth = 0;
    let inString = false;
    for (let i = start; i < length; i++) {
      const byte = bytes[i];
      if (inString) {
        if (byte === BACKSLASH) i += 1;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (byte === BRACE || byte === BRACKET) depth += 1;
      else if (byte === BRACE_END || byte === BRACKET_END) {
        if (depth === 0) return i;
        depth -= 1;
      } else if (depth === 0 && (byte === COMMA || byte === NEWLINE)) return i;
    }
    return length;
  }

  /** @param by not part of this memory, unless it is empty */
  #replace(at: number, count: number, by: Uint8Array): void {
    const end = Math.min(at + count, this.#length);
    const room = this.#bytes.length - at;
    const length = Math.min(by.length, room);
    const tail = Math.min(this.#length - end, room - length);
    if (tail > 0) this.#bytes.copyWithin(at + length, end, end + tail);
    this.#bytes.set(length === by.length ? by : by.subarray(0, length), at);
    this.#length = at + length + tail;
  }
}

function isJson(word: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(word).toString());
    return true;
  } catch {
    return false;
  }
}
