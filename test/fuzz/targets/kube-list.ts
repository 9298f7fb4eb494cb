import { cachedObjectDecoder } from "../../../edge/cache/cached-object.ts";
import { ListSplitter } from "../../../src/kube/list-stream.ts";
import { parseJsonText, readItem } from "../../../src/kube/object-reader.ts";
import type { Piece } from "../../../src/kube/piece.ts";
import { hold, holdSame, textOf, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const MOST_ITEM_BYTES = 400;
const decoder = cachedObjectDecoder("Service", (text) => text);

/** A list that comes in pieces; JSON's own parser, given all of it at once, says what is in it. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "json",
  words: ['"items":[', '"items":', '{"items":[]}', "\\", '\\"', "}", "]", "{", "[", ",", '"', "null", " "],
  run: (input) => {
    const splitter = new ListSplitter(MOST_ITEM_BYTES);
    const items: Piece[] = [];
    // Cut where nothing begins: in the middle of words, of escapes and of characters.
    const step = 1 + (input.length % 67);
    for (let at = 0; at < input.length; at += step) {
      for (const item of splitter.push(input.subarray(at, at + step))) items.push(item);
    }
    const envelope = splitter.end();
    for (const item of items) {
      hold(item.oversized === item.sizeBytes > MOST_ITEM_BYTES, "an item over its bound");
      readItem(item, decoder);
    }
    if (!envelope.ok) return `refused: ${withoutNumbers(envelope.error.why)}`;
    return compare(input, items) ? "the same list" : "a list";
  },
};

/** @returns whether it is a list that both have read; of two members of one name JSON's parser keeps the last only */
function compare(input: Uint8Array, items: readonly Piece[]): boolean {
  const text = textOf(input);
  const whole = parseJsonText(text) as { readonly items?: unknown } | undefined;
  if (!Array.isArray(whole?.items) || items.some((item) => item.oversized)) return false;
  if (text.split('"items"').length !== 2) return false;
  holdSame(
    items.map((item) => parseJsonText(item.text)),
    whole.items,
    "the items",
  );
  return true;
}
