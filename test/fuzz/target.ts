/**
 * A decoder of outside bytes under random input. It lives in targets/NAME.ts as `target`, and its seeds and regression
 * cases, one a file, in corpus/NAME.
 */
export interface FuzzTarget {
  /** Longer inputs are cut: what matters to the decoder fits. */
  readonly mostBytes: number;
  /** The byte order of its numbers, for lies about lengths; text has other mutations, and JSON mostly stays JSON. */
  readonly form: "little-endian" | "big-endian" | "text" | "json";
  /** What means something to the decoder: bytes, or words of text. */
  readonly words?: readonly (string | Uint8Array)[];
  /**
   * Puts the decoder to the test, and throws when it breaks its contract.
   *
   * @param input stands at the end of its memory, so that reading on is out of bounds
   * @returns what came of it, as one of a few names: an input with a new outcome becomes a seed of its own
   */
  readonly run: (input: Uint8Array) => string | Promise<string>;
}
