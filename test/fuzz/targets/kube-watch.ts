import { cachedObjectDecoder } from "../../../edge/cache/cached-object.ts";
import { oversizedKey, parseJsonText, readObject } from "../../../src/kube/object-reader.ts";
import { ENDPOINT_SLICES } from "../../../src/kube/resource.ts";
import { LineSplitter } from "../../../src/kube/watch-stream.ts";
import { hold, holdSame, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const MOST_LINE_BYTES = 300;
const decoder = cachedObjectDecoder("EndpointSlice", (text) => text);

/** A watch that comes in pieces, beside the same text taken apart at once. */
export const target: FuzzTarget = {
  mostBytes: 640,
  form: "json",
  words: ["\n", "\r\n", "\n\n", "\r", '"ADDED"', '"DELETED"', '"BOOKMARK"', '"ERROR"', "{", "}", '"', " "],
  run: (input) => {
    const splitter = new LineSplitter(MOST_LINE_BYTES);
    const step = 1 + (input.length % 61);
    const lines = [];
    for (let at = 0; at < input.length; at += step) {
      for (const line of splitter.push(input.subarray(at, at + step))) lines.push(line);
    }
    const expected = textOf(input).split("\n").slice(0, -1);
    const whole = expected.map((line) => line.trim()).filter((line) => line !== "");
    hold(lines.length === whole.length, `${lines.length} lines of ${whole.length}`);
    let read = 0;
    for (const [i, line] of lines.entries()) {
      hold(line.oversized === line.sizeBytes > MOST_LINE_BYTES, "a line over its bound");
      if (line.oversized) {
        hold((oversizedKey(line, ENDPOINT_SLICES) ?? "a/b").includes("/"), "a key that is none");
        continue;
      }
      holdSame(line.text, whole[i], "a line");
      const event = parseJsonText(line.text) as { readonly object?: unknown } | undefined | null;
      if (readObject(event?.object, decoder).ok) read += 1;
    }
    return `${Math.min(read, 3)} read of ${Math.min(lines.length, 3)} lines`;
  },
};
