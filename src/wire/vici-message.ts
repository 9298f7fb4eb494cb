import { type DecodeError, fail, ok, type Result } from "../base/result.ts";

/** Element types of a message: libcharon/plugins/vici/vici_message.h. */
const SECTION_START = 1;
const SECTION_END = 2;
const KEY_VALUE = 3;
const LIST_START = 4;
const LIST_ITEM = 5;
const LIST_END = 6;

/** Charon's own messages have four levels: the message, an IKE_SA, its children, a child. */
const SECTION_DEPTH_MAX = 16;
/** Each becomes an object of a hundred bytes. A child that lists as many networks as fit a packet has 25,000. */
const ELEMENTS_MAX = 64 * 1024;
/** u8 before every name. */
export const NAME_BYTES_MAX = 0xff;
/** u16 before every value. */
const VALUE_BYTES_MAX = 0xffff;

export type ViciValue = Uint8Array | readonly Uint8Array[] | ViciSection;

/** What is sent: numbers become decimal text, booleans "yes" and "no", and what is undefined is left out. */
export interface ViciFields {
  readonly [name: string]:
    | string
    | number
    | boolean
    | Uint8Array
    | readonly (string | Uint8Array)[]
    | ViciFields
    | undefined;
}

const TEXT = new TextDecoder();
const UTF8 = new TextEncoder();

/**
 * A message, or a section of one: names with values, lists and sections. Values are views into the packet. What is asked
 * for and is not there, or is of another kind, is undefined or empty: a later charon may leave out or add what it likes.
 */
export class ViciSection {
  readonly #entries: ReadonlyMap<string, ViciValue>;

  constructor(entries: ReadonlyMap<string, ViciValue>) {
    this.#entries = entries;
  }

  entries(): IterableIterator<[string, ViciValue]> {
    return this.#entries.entries();
  }

  bytes(name: string): Uint8Array | undefined {
    const value = this.#entries.get(name);
    return value instanceof Uint8Array ? value : undefined;
  }

  text(name: string): string | undefined {
    const value = this.bytes(name);
    return value === undefined ? undefined : TEXT.decode(value);
  }

  /** A decimal that a double holds exactly. */
  number(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
    const value = Number(text);
    return Number.isSafeInteger(value) ? value : undefined;
  }

  /** Whether it is "yes". */
  flag(name: string): boolean {
    return this.text(name) === "yes";
  }

  list(name: string): readonly string[] {
    const value = this.#entries.get(name);
    return Array.isArray(value) ? value.map((item: Uint8Array) => TEXT.decode(item)) : [];
  }

  section(name: string): ViciSection | undefined {
    const value = this.#entries.get(name);
    return value instanceof ViciSection ? value : undefined;
  }

  sections(): readonly (readonly [name: string, section: ViciSection])[] {
    return [...this.#entries].filter((entry): entry is [string, ViciSection] => entry[1] instanceof ViciSection);
  }
}

/** Reads a message to the end of the bytes. Of names that come twice in a section the last one counts. */
export function decodeViciMessage(bytes: Uint8Array, start = 0): Result<ViciSection, DecodeError> {
  const entries = new Map<string, ViciValue>();
  const outer: Map<string, ViciValue>[] = [];
  let section = entries;
  let list: Uint8Array[] | undefined;
  let at = start;
  let elements = 0;

  /** The bytes behind a length of one or two bytes; undefined beyond the end. */
  const counted = (width: 1 | 2): Uint8Array | undefined => {
    const high = width === 2 ? (bytes[at] ?? 0) << 8 : 0;
    const length = high | (bytes[at + width - 1] ?? 0);
    const from = at + width;
    if (from + length > bytes.length) return undefined;
    at = from + length;
    return bytes.subarray(from, at);
  };

  while (at < bytes.length) {
    const elementAt = at;
    const type = bytes[at++] ?? 0;
    const cut = fail({ at: elementAt, why: `an element of type ${type} reaches beyond the message` });
    if (++elements > ELEMENTS_MAX) return fail({ at: elementAt, why: `it has more than ${ELEMENTS_MAX} elements` });
    if (type === LIST_ITEM || type === LIST_END ? list === undefined : list !== undefined) {
      return fail({ at: elementAt, why: `an element of type ${type} does not stand where it may` });
    }
    if (type === SECTION_END) {
      const parent = outer.pop();
      if (parent === undefined) return fail({ at: elementAt, why: "a section ends that has not begun" });
      section = parent;
    } else if (type === LIST_END) {
      list = undefined;
    } else if (type === LIST_ITEM) {
      const item = counted(2);
      if (item === undefined) return cut;
      list?.push(item);
    } else if (type === SECTION_START || type === KEY_VALUE || type === LIST_START) {
      const nameBytes = counted(1);
      if (nameBytes === undefined) return cut;
      const name = TEXT.decode(nameBytes);
      if (type === KEY_VALUE) {
        const value = counted(2);
        if (value === undefined) return cut;
        section.set(name, value);
      } else if (type === LIST_START) {
        list = [];
        section.set(name, list);
      } else {
        if (outer.length === SECTION_DEPTH_MAX) {
          return fail({ at: elementAt, why: `sections are nested more than ${SECTION_DEPTH_MAX} deep` });
        }
        const child = new Map<string, ViciValue>();
        section.set(name, new ViciSection(child));
        outer.push(section);
        section = child;
      }
    } else {
      return fail({ at: elementAt, why: `there is no element of type ${type}` });
    }
  }
  if (outer.length > 0 || list !== undefined) return fail({ at, why: "a section or list has no end" });
  return ok(new ViciSection(entries));
}

/** @throws RangeError for a name beyond 255 or a value beyond 65,535 bytes */
export function encodeViciMessage(fields: ViciFields): Uint8Array {
  const writer = new ElementWriter();
  writer.fields(fields);
  return writer.finish();
}

class ElementWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  fields(fields: ViciFields): void {
    for (const [name, value] of Object.entries(fields)) {
      if (value === undefined) continue;
      if (isList(value)) {
        this.#element(LIST_START, name);
        for (const item of value) {
          this.#octet(LIST_ITEM);
          this.#value(item);
        }
        this.#octet(LIST_END);
      } else if (isFields(value)) {
        this.#element(SECTION_START, name);
        this.fields(value);
        this.#octet(SECTION_END);
      } else {
        this.#element(KEY_VALUE, name);
        this.#value(value);
      }
    }
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #element(type: number, name: string): void {
    const bytes = UTF8.encode(name);
    if (bytes.length > NAME_BYTES_MAX) {
      throw new RangeError(`Cannot write a name as it has more than ${NAME_BYTES_MAX} bytes: current value is ${name}`);
    }
    this.#octet(type);
    this.#octet(bytes.length);
    this.#raw(bytes);
  }

  #value(value: string | number | boolean | Uint8Array): void {
    const bytes = value instanceof Uint8Array ? value : UTF8.encode(scalarText(value));
    if (bytes.length > VALUE_BYTES_MAX) {
      throw new RangeError(`Cannot write a value as it has more than ${VALUE_BYTES_MAX} bytes: it has ${bytes.length}`);
    }
    this.#octet(bytes.length >> 8);
    this.#octet(bytes.length & 0xff);
    this.#raw(bytes);
  }

  #octet(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#length + more));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

type ViciField = Exclude<ViciFields[string], undefined>;

function isList(value: ViciField): value is readonly (string | Uint8Array)[] {
  return Array.isArray(value);
}

function isFields(value: ViciField): value is ViciFields {
  return typeof value === "object" && !(value instanceof Uint8Array);
}

function scalarText(value: string | number | boolean): string {
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
}
