import type { QueryReader } from "../../src/wire/dns-query.ts";
import type { Answer } from "./answer.ts";

/** Names of 10,000 services, A and AAAA, with room; a flood of types cannot make it more. */
const MAX_ENTRIES = 32_768;
/** Large headless answers are up to 64 KiB each. */
const MAX_BYTES = 8 * 1024 * 1024;

interface Entry {
  readonly name: Uint8Array;
  readonly type: number;
  readonly answer: Answer;
}

/**
 * Answers by the hash of name and type, made when first asked for and dropped when their service changes. A full
 * store starts afresh: making an answer again costs a few microseconds, which is less than keeping an order.
 */
export class PreparedAnswers {
  readonly #entries = new Map<number, Entry>();
  readonly #hashesOf = new Map<string, number[]>();
  #puts = 0;
  #bytes = 0;

  get(query: QueryReader): Answer | undefined {
    const entry = this.#entries.get(query.hash);
    if (entry === undefined || entry.type !== query.type || entry.name.length !== query.nameBytes) return undefined;
    const { name } = entry;
    for (let i = 0; i < name.length; i++) if (name[i] !== query.name[i]) return undefined;
    return entry.answer;
  }

  /** @param owner what `drop` will name when the answer is no longer true */
  put(query: QueryReader, owner: string, answer: Answer): void {
    this.#puts += 1;
    this.#bytes += answer.body.length;
    if (this.#puts > MAX_ENTRIES || this.#bytes > MAX_BYTES) this.clear();
    const name = query.name.slice(0, query.nameBytes);
    this.#entries.set(query.hash, { name, type: query.type, answer });
    const hashes = this.#hashesOf.get(owner);
    if (hashes === undefined) this.#hashesOf.set(owner, [query.hash]);
    else hashes.push(query.hash);
  }

  drop(owner: string): void {
    for (const hash of this.#hashesOf.get(owner) ?? []) this.#entries.delete(hash);
    this.#hashesOf.delete(owner);
  }

  clear(): void {
    this.#entries.clear();
    this.#hashesOf.clear();
    this.#puts = 0;
    this.#bytes = 0;
  }
}
