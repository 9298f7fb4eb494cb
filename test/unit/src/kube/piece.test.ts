import { describe, expect, test } from "bun:test";
import { parseOversizedHead } from "../../../../src/kube/piece.ts";

describe("the head of an oversized object", () => {
  test("names a list's item", () => {
    const head = '{"metadata":{"name":"a","namespace":"b","ownerReferences":[{"name":"c"}]},"data":"';
    expect(parseOversizedHead(head)).toEqual({ type: undefined, namespace: "b", name: "a" });
  });

  test("names a watch event and its type", () => {
    const head = '{"type":"DELETED","object":{"kind":"Service","metadata":{"name":"a","namespace":"b"';
    expect(parseOversizedHead(head)).toEqual({ type: "DELETED", namespace: "b", name: "a" });
  });

  test("does not name what has no metadata at its beginning", () => {
    expect(parseOversizedHead('{"data":"x","name":"y"')).toEqual({
      type: undefined,
      namespace: undefined,
      name: undefined,
    });
  });
});
