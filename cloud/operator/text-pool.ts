/** Two authorities overlap at most; what was trusted years ago goes with it. */
const POOLED_TEXTS_MAX = 64;

/** Texts that are kept once however many objects hold them, as every node's Secret holds the authorities. */
export class TextPool {
  readonly #texts = new Map<string, string>();

  /** @returns an equal text, the same one each time */
  intern(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= POOLED_TEXTS_MAX) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }
}
