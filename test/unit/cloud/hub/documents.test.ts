import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseDocuments } from "../../../../cloud/hub/documents.ts";

describe("documents", () => {
  test("are divided by --- and know their lines", () => {
    expect(parseDocuments("# first\na: 1\n---\n\n---\nb: |\n  x\n--- {c: 3}\n")).toEqual({
      ok: true,
      value: [
        { value: { a: 1 }, line: 2 },
        { value: { b: "x\n" }, line: 6 },
        { value: { c: 3 }, line: 8 },
      ],
    });
  });

  test("may be JSON", () => {
    expect(parseDocuments('{\n\t"a": [1]\n}\n')).toEqual({ ok: true, value: [{ value: { a: [1] }, line: 1 }] });
  });

  test.each([
    ["a: 1\nb:\n  c: 1\n d: 2\ne: 3\n", 4],
    ["a: 1\n---\n# x\nb: [1,\nc: 2\nd: 3\n", 4],
    ["a: 1\nb: x: y\nc: 2", 2],
    ["a: 1\n\tb: 2", 2],
    ["- a\n- b\nc: d\n", 3],
    ["a: 'unclosed\nb: 1\nc: 2\n", 1],
    ['{\n "a": 1,\n "b" 2,\n "c": 3\n}', 3],
    ['a: 1\n---\n{\n "a": [1,2\n "b": 2\n}', 5],
  ])("says in which line %j is wrong", (text, line) => {
    const result = parseDocuments(text);
    expect(result).toMatchObject({ ok: false, error: { line } });
  });

  test("may name a part of themselves again, and not what the name stands in: that would have no end", () => {
    expect(parseDocuments("a: &x {b: 1}\nc: [*x, *x]\n")).toMatchObject({
      ok: true,
      value: [{ value: { a: { b: 1 }, c: [{ b: 1 }, { b: 1 }] } }],
    });
    const reason = "an alias stands inside of what it names";
    expect(parseDocuments("x: 1\n---\n# y\na: &x\n  b: [*x]\n")).toEqual({ ok: false, error: { line: 4, reason } });
  });

  test.each([
    ["a: 1\nb: 2\na: 3\n", 3, "a"],
    ["x: 1\n---\nspec:\n  ports:\n  - name: a\n    port: 1\n    name: b\n", 7, "name"],
    ['items:\n- "a": 1\n- b: 2\nitems: []\n', 4, "items"],
    ['{\n  "a": {\n    "b": 1,\n    "b": 2\n  }\n}', 4, "b"],
    ["data:\n  f: |\n    k: 1\n    k: 2\nmetadata:\n  n: 1\n  n: 2\n", 7, "n"],
  ])("refuses a key that stands twice, which the parser would pass over: %j", (text, line, key) => {
    const reason = `the key "${key}" stands twice in one mapping`;
    expect(parseDocuments(text)).toEqual({ ok: false, error: { line, reason } });
  });

  test.each([
    ["- a: 1\n- a: 2\n"],
    ["x:\n- a: 1\n  b: {a: 2}\ny:\n- a: 1\n"],
    ["data:\n  f: |\n    k: 1\n    k: 2\n  g: >-\n    k: 1\n    k: 2\n"],
    ['a: "one\n  k: 1\n  k: 2"\n'],
    ["# a: 1\na: 1\n# a: 2\n"],
    ["a: {b: 1}\nb:\n  a: 1\nc:\n  a: 1\n"],
  ])("a key may stand in several mappings, in texts and in comments: %j", (text) => {
    expect(parseDocuments(text)).toMatchObject({ ok: true });
  });

  test("a mistake after a long text is found where it is", () => {
    const long = `a: |\n${"  text\n".repeat(300)}b: [\n`;
    expect(parseDocuments(long)).toMatchObject({ ok: false, error: { line: 302 } });
  });

  test("never throws, and a refusal names a line of the file", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."ab:-[]{}\"'\n\t #|>&*,".split("")), maxLength: 60 }),
        (text) => {
          const result = parseDocuments(text);
          if (result.ok) return;
          expect(result.error.line).toBeGreaterThanOrEqual(1);
          expect(result.error.line).toBeLessThanOrEqual(text.split("\n").length);
        },
      ),
    );
  });
});
