import { describe, expect, test } from "bun:test";
import { parseIdentity } from "../../../../../src/kube/objects/metadata.ts";
import { NODES, SERVICES } from "../../../../../src/kube/resource.ts";

const METADATA = { namespace: "a", name: "b", uid: "u", resourceVersion: "7" };

describe("identity", () => {
  test("is read without the kind, as a list's items carry none", () => {
    expect(parseIdentity({ metadata: METADATA }, SERVICES)).toEqual({
      ok: true,
      value: { key: "a/b", uid: "u", resourceVersion: "7" },
    });
  });

  test("of a cluster-scoped object is its name alone", () => {
    expect(parseIdentity({ metadata: { name: "b", namespace: "" } }, NODES)).toEqual({
      ok: true,
      value: { key: "b", uid: "", resourceVersion: "" },
    });
  });

  test("is refused for an object that says that it is of another kind", () => {
    expect(parseIdentity({ kind: "Pod", metadata: METADATA }, SERVICES)).toMatchObject({
      ok: false,
      error: { at: "kind" },
    });
  });
});
