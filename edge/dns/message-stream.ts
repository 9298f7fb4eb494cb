/** The two length bytes before every message (RFC 1035 section 4.2.2). */
export const LENGTH_BYTES = 2;

/** Takes DNS messages out of a TCP stream. It holds one message at most. */
export class MessageStream {
  readonly #bytes: Uint8Array;
  #length = 0;

  /** @param mostBytes of one message, without its length */
  constructor(mostBytes: number) {
    this.#bytes = new Uint8Array(LENGTH_BYTES + mostBytes);
  }

  /**
   * @param take is given each message that the chunk ends, a view that the next one outdates; it says whether to go on
   * @returns false when a message is announced that is too long: nothing more can be read from this stream
   */
  push(chunk: Uint8Array, take: (message: Uint8Array) => boolean): boolean {
    const bytes = this.#bytes;
    for (let at = 0; at < chunk.length; ) {
      const wanted = this.#length < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + this.#announced();
      const part = chunk.subarray(at, at + wanted - this.#length);
      bytes.set(part, this.#length);
      this.#length += part.length;
      at += part.length;
      if (this.#length < LENGTH_BYTES) return true;
      const end = LENGTH_BYTES + this.#announced();
      if (end > bytes.length) return false;
      if (this.#length < end) continue;
      this.#length = 0;
      if (!take(bytes.subarray(LENGTH_BYTES, end))) return true;
    }
    return true;
  }

  #announced(): number {
    return ((this.#bytes[0] ?? 0) << 8) | (this.#bytes[1] ?? 0);
  }
}
