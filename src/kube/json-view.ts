import { type DecodeError, fail, ok, type Result } from "../base/result.ts";

const NOTHING: readonly never[] = [];

/**
 * Raised by a view and caught by {@link parseJson}: it never leaves this file. It is no Error, whose stack, that nobody
 * sees, costs more than reading the object: a source may send objects that are wrong as fast as it can.
 */
class Refusal {
  readonly detail: DecodeError;
  constructor(detail: DecodeError) {
    this.detail = detail;
  }
}

/** Reads a value out of JSON from outside; the first thing that is wrong is the error, with its path. */
export function parseJson<T>(json: unknown, read: (view: JsonView) => T): Result<T, DecodeError> {
  try {
    return ok(read(new JsonView(json, undefined, "")));
  } catch (error) {
    if (error instanceof Refusal) return fail(error.detail);
    throw error;
  }
}

/**
 * A place in a JSON document. Absent, `null` and missing parents are one thing, as they are in the Kubernetes API: each
 * reader says what absence means. The path is put together only when something is wrong.
 */
export class JsonView {
  readonly #value: unknown;
  readonly #parent: JsonView | undefined;
  readonly #name: string;

  constructor(value: unknown, parent: JsonView | undefined, name: string) {
    this.#value = value ?? undefined;
    this.#parent = parent;
    this.#name = name;
  }

  get absent(): boolean {
    return this.#value === undefined;
  }

  field(name: string): JsonView {
    const value = this.#value;
    if (value === undefined || value === null) return new JsonView(undefined, this, name);
    if (typeof value !== "object" || Array.isArray(value)) return this.refuse("not an object");
    // No field of the API is named like one of Object.prototype, so own and inherited need not be told apart.
    return new JsonView((value as Record<string, unknown>)[name], this, name);
  }

  /** Absent means empty. */
  array(most: number): readonly JsonView[] {
    if (this.#value === undefined) return NOTHING;
    if (!Array.isArray(this.#value)) return this.refuse("not an array");
    if (this.#value.length > most) return this.refuse(`more than ${most} items: ${this.#value.length}`);
    return this.#value.map((item: unknown, i) => new JsonView(item, this, `[${i}]`));
  }

  /** Absent means empty. Most lists of most objects are: they share one. */
  list<T>(most: number, read: (item: JsonView) => T): readonly T[] {
    const items = this.array(most);
    return items.length === 0 ? NOTHING : items.map(read);
  }

  /** The fields of an object that is a map, such as labels. Absent means empty. */
  entries(): readonly (readonly [name: string, value: JsonView])[] {
    if (this.#value === undefined) return NOTHING;
    if (typeof this.#value !== "object" || this.#value === null || Array.isArray(this.#value)) {
      return this.refuse("not an object");
    }
    return Object.entries(this.#value).map(([name, value]) => [name, new JsonView(value, this, name)] as const);
  }

  string(most: number): string {
    return this.optionalString(most) ?? this.refuse("missing");
  }

  optionalString(most: number): string | undefined {
    if (this.#value === undefined) return undefined;
    if (typeof this.#value !== "string") return this.refuse("not a string");
    if (this.#value.length > most) return this.refuse(`longer than ${most} characters`);
    return this.#value;
  }

  integer(least: number, most: number): number {
    return this.optionalInteger(least, most) ?? this.refuse("missing");
  }

  optionalInteger(least: number, most: number): number | undefined {
    const value = this.#value;
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
      return this.refuse(`not a whole number from ${least} to ${most}`);
    }
    return value;
  }

  optionalBoolean(): boolean | undefined {
    if (this.#value === undefined) return undefined;
    return typeof this.#value === "boolean" ? this.#value : this.refuse("not true or false");
  }

  /** Absent and empty mean the default. */
  oneOf<const T extends string>(values: readonly T[], byDefault: T): T {
    if (this.#value === undefined || this.#value === "") return byDefault;
    const found = values.find((value) => value === this.#value);
    return found ?? this.refuse(`not one of ${values.join(", ")}`);
  }

  /** Puts text through a parser of src/base, whose refusal is placed here. */
  parsed<T>(most: number, parse: (text: string) => Result<T, DecodeError>): T {
    const result = parse(this.string(most).trim());
    return result.ok ? result.value : this.refuse(result.error.why);
  }

  refuse(why: string): never {
    throw new Refusal({ at: this.#path(), why });
  }

  #path(): string {
    if (this.#parent === undefined) return this.#name;
    const before = this.#parent.#path();
    return before === "" || this.#name.startsWith("[") ? before + this.#name : `${before}.${this.#name}`;
  }
}
