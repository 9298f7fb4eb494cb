import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ListSplitter } from "../../../../src/kube/list-stream.ts";

function split(text: string, cut: number, most = 1000) {
  const bytes = new TextEncoder().encode(text);
  const splitter = new ListSplitter(most);
  const items = [];
  for (let at = 0; at < bytes.length; at += cut) items.push(...splitter.push(bytes.subarray(at, at + cut)));
  return { items, end: splitter.end() };
}

describe("list stream", () => {
  test("gives every item and the rest of the list, however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.record({ metadata: fc.jsonValue() }))),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(undefined, 2),
        fc.boolean(),
        (items, cut, indent, metadataFirst) => {
          const list = metadataFirst
            ? { kind: "XList", metadata: { resourceVersion: "7" }, items }
            : { kind: "XList", items, metadata: { resourceVersion: "7" } };
          const { items: got, end } = split(JSON.stringify(list, null, indent), cut, 1_000_000);
          expect(got.map((item): unknown => JSON.parse(item.text))).toEqual(JSON.parse(JSON.stringify(items)));
          expect(end).toEqual({ ok: true, value: { kind: "XList", metadata: { resourceVersion: "7" }, items: [] } });
        },
      ),
    );
  });

  test("keeps only the beginning of an item that is too large, and the items around it whole", () => {
    const big = { metadata: { name: "big", namespace: "d" }, data: 'x"]}\\'.repeat(5000) };
    const { items } = split(JSON.stringify({ items: [{ a: 1 }, big, { b: 2 }] }), 100);
    expect(items.map((i) => i.oversized)).toEqual([false, true, false]);
    expect(items[1]?.text.length).toBeLessThanOrEqual(4096);
    expect(items[1]?.text).toStartWith('{"metadata":{"name":"big"');
    expect(items[1]?.sizeBytes).toBe(JSON.stringify(big).length);
    expect(items[2]?.text).toBe('{"b":2}');
  });

  test("an array called items further down is not the list's", () => {
    expect(split('{"metadata":{"items":[1]},"other":[2],"items":[3]}', 5).items.map((i) => i.text)).toEqual(["3"]);
  });

  test("a list that is cut short is a failure", () => {
    for (const text of ['{"items":[{"a":1},', '{"items":[{"a":1}]', '{"kind":"X', ""]) {
      expect(split(text, 3).end.ok).toBe(false);
    }
  });

  test("a list of null items is empty", () => {
    expect(split('{"items":null,"metadata":{}}', 4)).toEqual({
      items: [],
      end: { ok: true, value: { items: null, metadata: {} } },
    });
  });

  test("what surrounds the items is bounded", () => {
    expect(split(`{"kind":"${"x".repeat(70_000)}","items":[]}`, 1000).end.ok).toBe(false);
  });
});
