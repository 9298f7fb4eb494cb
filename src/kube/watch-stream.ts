import { type Piece, PieceBuffer } from "./piece.ts";

const NEWLINE = 0x0a;

/** Splits a watch's bytes into its lines, one event each. */
export class LineSplitter {
  readonly #line: PieceBuffer;

  constructor(mostBytes: number) {
    this.#line = new PieceBuffer(mostBytes);
  }

  /** The lines that this chunk ends; blank lines are left out. */
  *push(chunk: Uint8Array): Generator<Piece, void, void> {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      this.#line.push(chunk.subarray(from, at));
      from = at + 1;
      const line = this.#line.take();
      if (line !== undefined) yield line;
    }
    this.#line.push(from === 0 ? chunk : chunk.subarray(from));
  }
}
