import { describe, expect, test } from "bun:test";
import { type Fields, trimObject } from "../../../../../src/kube/objects/trim.ts";

const FIELDS: Fields = { metadata: { name: true, labels: { app: true } }, ports: { port: true } };
const INHERITED: Fields = Object.fromEntries([["constructor", true] as const, ["toString", true] as const]);

describe("trimming", () => {
  test("keeps the named fields, of every item of an array too", () => {
    const object = {
      status: 1,
      ports: [{ port: 1, extra: 2 }, "odd"],
      metadata: { labels: { app: "x", other: "y" }, name: "n", managedFields: [] },
    };
    expect(trimObject(object, FIELDS)).toEqual({
      metadata: { name: "n", labels: { app: "x" } },
      ports: [{ port: 1 }, "odd"],
    });
  });

  test("gives the same text whatever order the fields came in, and null is absent", () => {
    const one = trimObject({ metadata: { name: "n", labels: null }, ports: [] }, FIELDS);
    const other = trimObject({ ports: [], metadata: { name: "n" } }, FIELDS);
    expect(JSON.stringify(one)).toBe(JSON.stringify(other));
  });

  test("takes own fields only", () => {
    expect(trimObject({}, INHERITED)).toEqual({});
  });
});
