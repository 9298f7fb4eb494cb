import { truncateSync, writeFileSync } from "node:fs";

/** The number of cases begun, and the length of the last one: two words, little-endian. */
const HEADER_BYTES = 8;

/**
 * The case that is being tried, in memory that is a file: whoever watches sees whether there is progress, and which case
 * it was when the program crashed or does not end. The case stands at the very end.
 */
export class CaseMemory {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  /** By their lengths: a view is dear to make, and there are millions of cases. */
  readonly #places: Uint8Array[] = [];

  static create(path: string, mostBytes: number): CaseMemory {
    writeFileSync(path, "");
    truncateSync(path, HEADER_BYTES + ((mostBytes + 3) & ~3));
    return CaseMemory.open(path);
  }

  static open(path: string): CaseMemory {
    return new CaseMemory(Bun.mmap(path, { shared: true }));
  }

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#words = new Uint32Array(bytes.buffer, 0, 2);
  }

  /** @returns the case, in its place */
  put(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    const start = this.#bytes.length - length;
    this.#bytes.set(bytes, start);
    this.#words[1] = length;
    this.#words[0] = (this.#words[0] ?? 0) + 1;
    this.#places[length] ??= this.#bytes.subarray(start);
    return this.#places[length];
  }

  get begun(): number {
    return this.#words[0] ?? 0;
  }

  /** A copy of the last case. */
  get last(): Uint8Array {
    return this.#bytes.slice(this.#bytes.length - (this.#words[1] ?? 0));
  }
}
