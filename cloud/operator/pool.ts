/** Authorities overlap, of arguments a fleet has a few sets; what was there years ago goes with the rest. */
const POOLED_MAX = 64;

/** Values that are kept once however many objects hold them, as every node's Secret holds the authorities. */
export class Pool<T> {
  readonly #textOf: (value: T) => string;
  readonly #values = new Map<string, T>();

  /** @param textOf one text for all that are equal */
  constructor(textOf: (value: T) => string) {
    this.#textOf = textOf;
  }

  /** @returns an equal value, the same one each time */
  intern(value: T): T {
    const text = this.#textOf(value);
    const known = this.#values.get(text);
    if (known !== undefined) return known;
    if (this.#values.size >= POOLED_MAX) this.#values.clear();
    this.#values.set(text, value);
    return value;
  }
}
