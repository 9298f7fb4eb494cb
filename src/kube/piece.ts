import { NAME_LENGTH_MAX, NAMESPACE_LENGTH_MAX } from "./objects/metadata.ts";

/**
 * One object of a list, or one line of a watch. The API server takes requests of at most 3 MB, etcd of 1.5 MB; an
 * object that is longer is not taken into memory.
 */
export const OBJECT_BYTES_MAX = 3 * 1024 * 1024;

/** How much of an oversized object is kept so that it can be named. */
export const HEAD_BYTES = 4096;

/** A mark of the byte order is not passed over: in JSON there is none (RFC 8259 section 8.1). */
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** One item of a list or one line of a watch; of an oversized one only the beginning. */
export interface Piece {
  readonly text: string;
  readonly oversized: boolean;
  readonly sizeBytes: number;
}

/** Collects one piece after the other. Past the bound it counts and no longer keeps. */
export class PieceBuffer {
  readonly #mostBytes: number;
  #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  push(part: Uint8Array): void {
    if (part.length === 0) return;
    const fitted = this.#sizeBytes <= this.#mostBytes;
    this.#sizeBytes += part.length;
    if (this.#sizeBytes <= this.#mostBytes) {
      this.#parts.push(part);
    } else if (fitted) {
      // A copy: a view would keep the chunks' memory.
      this.#parts = [Uint8Array.from(Buffer.concat([...this.#parts, part]).subarray(0, HEAD_BYTES))];
    }
  }

  /** What has been pushed since the last take; undefined when it is blank. */
  take(): Piece | undefined {
    const [only, ...others] = this.#parts;
    const bytes = others.length === 0 ? only : Buffer.concat(this.#parts);
    const sizeBytes = this.#sizeBytes;
    this.#parts = [];
    this.#sizeBytes = 0;
    if (bytes === undefined) return undefined;
    const text = UTF8.decode(bytes).trim();
    return text === "" ? undefined : { text, oversized: sizeBytes > this.#mostBytes, sizeBytes };
  }
}

/** Who an oversized object is, as far as its beginning tells. */
export interface OversizedHead {
  /** A watch event's type. */
  readonly type: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

/**
 * Reads the names off the beginning of an object's JSON. API servers write `type` before `object`, and `name` and
 * `namespace` first in `metadata`, so a search finds the right ones.
 */
export function parseOversizedHead(head: string): OversizedHead {
  const type = /^\s*\{\s*"type"\s*:\s*"([A-Z]{1,16})"/.exec(head)?.[1];
  const metadata = /"metadata"\s*:\s*\{/.exec(head);
  const inside = metadata === null ? "" : head.slice(metadata.index);
  const text = (field: string, most: number) =>
    new RegExp(`"${field}"\\s*:\\s*"([^"\\\\/\\s]{1,${most}})"`).exec(inside)?.[1];
  return { type, namespace: text("namespace", NAMESPACE_LENGTH_MAX), name: text("name", NAME_LENGTH_MAX) };
}
