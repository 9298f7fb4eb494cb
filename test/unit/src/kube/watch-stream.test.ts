import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LineSplitter } from "../../../../src/kube/watch-stream.ts";

function split(text: string, cut: number, most: number) {
  const bytes = new TextEncoder().encode(text);
  const splitter = new LineSplitter(most);
  const lines = [];
  for (let at = 0; at < bytes.length; at += cut) lines.push(...splitter.push(bytes.subarray(at, at + cut)));
  return lines;
}

describe("watch stream", () => {
  test("gives every line, however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.integer({ min: 1, max: 30 }), (values, cut) => {
        const lines = values.map((value) => JSON.stringify(value));
        const got = split(lines.map((line) => `${line}\n`).join(""), cut, 1_000_000);
        expect(got.map((line) => line.text)).toEqual(lines);
      }),
    );
  });

  test("leaves blank lines and an unfinished last line out", () => {
    expect(split('\n\r\n{"a":1}\r\n\n{"b', 4, 100).map((line) => line.text)).toEqual(['{"a":1}']);
  });

  test("a line over the bound is counted and its beginning kept", () => {
    const [before, long, after] = split(`1\n${"y".repeat(20_000)}\n2\n`, 999, 10_000);
    expect(before?.text).toBe("1");
    expect(long).toEqual({ oversized: true, sizeBytes: 20_000, text: "y".repeat(4096) });
    expect(after?.text).toBe("2");
  });

  test("a line exactly at the bound is kept", () => {
    expect(split(`${"y".repeat(100)}\n`, 7, 100)[0]?.oversized).toBe(false);
    expect(split(`${"y".repeat(101)}\n`, 7, 100)[0]?.oversized).toBe(true);
  });
});
