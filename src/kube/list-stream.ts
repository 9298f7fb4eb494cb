import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { type Piece, PieceBuffer } from "./piece.ts";

/** Kind, metadata and the like: a few hundred bytes. */
const ENVELOPE_BYTES_MAX = 64 * 1024;

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [BRACE_OPEN, BRACE_CLOSE, BRACKET_OPEN, BRACKET_CLOSE] = [0x7b, 0x7d, 0x5b, 0x5d];
const ITEMS_KEY = /"items"\s*:\s*\[$/;

/**
 * Takes a list apart while it arrives, so that neither the whole list nor an oversized item is ever in memory.
 *
 * It follows strings and brackets only; each item's text is parsed by the caller, so one broken item does not cost the
 * others. What surrounds the items comes out of `end`, with `items` empty.
 */
export class ListSplitter {
  readonly #item: PieceBuffer;
  #envelope = "";
  #envelopeTooLong = false;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #inItems = false;

  constructor(mostItemBytes: number) {
    this.#item = new PieceBuffer(mostItemBytes);
  }

  /** The items that this chunk ends. */
  *push(chunk: Uint8Array): Generator<Piece, void, void> {
    let from = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
        continue;
      }
      switch (byte) {
        case QUOTE:
          this.#inString = true;
          break;
        case BRACE_OPEN:
        case BRACKET_OPEN:
          this.#depth += 1;
          if (this.#inItems || this.#depth !== 2 || byte !== BRACKET_OPEN) break;
          this.#keep(chunk.subarray(from, i + 1));
          from = i + 1;
          this.#inItems = ITEMS_KEY.test(this.#envelope);
          break;
        case BRACE_CLOSE:
        case BRACKET_CLOSE:
          this.#depth -= 1;
          if (!this.#inItems || this.#depth !== 1) break;
          this.#keep(chunk.subarray(from, i));
          from = i;
          this.#inItems = false;
          yield* this.#takeItem();
          break;
        case COMMA:
          if (!this.#inItems || this.#depth !== 2) break;
          this.#keep(chunk.subarray(from, i));
          from = i + 1;
          yield* this.#takeItem();
          break;
      }
    }
    this.#keep(chunk.subarray(from));
  }

  /** The list without its items; a failure means that the list is cut short or is no JSON. */
  end(): Result<unknown, DecodeError> {
    if (this.#envelopeTooLong) return fail({ at: "", why: `more than ${ENVELOPE_BYTES_MAX} bytes beside the items` });
    if (this.#depth !== 0 || this.#inString) return fail({ at: "", why: "cut short" });
    try {
      return ok(JSON.parse(this.#envelope));
    } catch {
      return fail({ at: "", why: "not JSON" });
    }
  }

  #keep(part: Uint8Array): void {
    if (this.#inItems) this.#item.push(part);
    else if (this.#envelope.length + part.length > ENVELOPE_BYTES_MAX) this.#envelopeTooLong = true;
    else this.#envelope += Buffer.from(part.buffer, part.byteOffset, part.length).toString();
  }

  *#takeItem(): Generator<Piece, void, void> {
    const item = this.#item.take();
    if (item !== undefined) yield item;
  }
}
