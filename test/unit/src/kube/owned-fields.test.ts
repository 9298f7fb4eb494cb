import { describe, expect, test } from "bun:test";
import { appliedPart, canonicalText, contentDigest, ownedPart } from "../../../../src/kube/owned-fields.ts";

function managed(fieldsV1: object, more: object = {}) {
  return { manager: "us", operation: "Apply", fieldsV1, ...more };
}

function object(content: object, ...entries: readonly object[]) {
  return { metadata: { name: "x", labels: { a: "1", b: "2" }, managedFields: entries }, ...content };
}

describe("what a manager applied", () => {
  test("is the fields that it owns, and none of others", () => {
    const fields = { "f:metadata": { "f:labels": { "f:a": {} } }, "f:data": { ".": {}, "f:k": {} } };
    expect(ownedPart(object({ data: { k: "v", other: "w" } }, managed(fields)), "us")).toEqual({
      metadata: { labels: { a: "1" } },
      data: { k: "v" },
    });
  });

  test("takes an atomic value whole", () => {
    const fields = { "f:spec": { "f:selector": {} } };
    expect(ownedPart(object({ spec: { selector: { deep: [1, { x: 2 }] } } }, managed(fields)), "us")).toEqual({
      spec: { selector: { deep: [1, { x: 2 }] } },
    });
  });

  test("finds the items of lists by their keys, by their value, and by their place", () => {
    const spec = {
      ports: [
        { port: 80, protocol: "TCP", name: "http" },
        { port: 80, protocol: "UDP", name: "dns" },
      ],
      finalizers: ["a", "b"],
      places: ["x", "y"],
    };
    const fields = {
      "f:spec": {
        "f:ports": { 'k:{"port":80,"protocol":"UDP"}': { ".": {}, "f:name": {} } },
        "f:finalizers": { 'v:"b"': {} },
        "f:places": { "i:1": {} },
      },
    };
    expect(ownedPart(object({ spec }, managed(fields)), "us")).toEqual({
      spec: { ports: [{ name: "dns" }], finalizers: ["b"], places: ["y"] },
    });
  });

  test("lacks what was taken away, and is nothing of an object that this manager never applied", () => {
    const fields = { "f:data": { "f:gone": {} } };
    expect(ownedPart(object({ data: {} }, managed(fields)), "us")).toEqual({ data: {} });
    expect(ownedPart(object({ data: { gone: "1" } }, managed(fields)), "them")).toBeUndefined();
    expect(ownedPart(object({}, managed(fields, { operation: "Update" })), "us")).toBeUndefined();
    for (const strange of [undefined, null, 1, [], {}, { metadata: 1 }, { metadata: { managedFields: [1, null] } }]) {
      expect(ownedPart(strange, "us")).toBeUndefined();
    }
  });

  test("tells the status from the object", () => {
    const content = { spec: { a: 1 }, status: { b: 2 } };
    const both = object(
      content,
      managed({ "f:spec": { "f:a": {} } }),
      managed({ "f:status": { "f:b": {} } }, { subresource: "status" }),
    );
    expect(ownedPart(both, "us")).toEqual({ spec: { a: 1 } });
    expect(ownedPart(both, "us", "status")).toEqual({ status: { b: 2 } });
  });

  test("survives field sets that are deeper than any schema", () => {
    let fields: object = {};
    let value: object = {};
    for (let i = 0; i < 100_000; i++) {
      fields = { "f:a": fields };
      value = { a: value };
    }
    expect(ownedPart({ ...object({}, managed(fields)), ...value }, "us")).toBeDefined();
  });
});

describe("the digest of a content", () => {
  test("is the same for what says the same: keys in any order, what is empty left out", () => {
    expect(canonicalText({ b: 1, a: { y: [], x: "" }, c: null, d: undefined, e: {} })).toBe('{"a":{"x":""},"b":1}');
    expect(contentDigest({ a: 1, b: 2 })).toBe(contentDigest({ b: 2, a: 1, c: {} }));
    expect(contentDigest({ a: [1, 2] })).not.toBe(contentDigest({ a: [2, 1] }));
    expect(contentDigest({ a: "" })).not.toBe(contentDigest({}));
    expect(canonicalText({ a: "Infinity", b: JSON.parse("1e999") })).toBe('{"a":"Infinity"}');
    expect(contentDigest(undefined)).toBe(contentDigest({}));
  });

  test("of a manifest is of everything but the object's name", () => {
    const manifest = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "n", name: "x", labels: {} },
      data: { a: "1" },
    };
    expect(contentDigest(appliedPart(manifest))).toBe(contentDigest({ data: { a: "1" } }));
  });
});
