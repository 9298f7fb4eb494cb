import { describe, expect, test } from "bun:test";
import { parseRequest } from "../../../../cloud/hub/request.ts";

const parse = (path: string, query = "") => parseRequest(path, new URLSearchParams(query));

describe("requests", () => {
  test.each([
    ["/api/v1/services", "list", "services"],
    ["/api/v1/namespaces/d/services", "list", "services"],
    ["/apis/discovery.k8s.io/v1/endpointslices", "list", "endpointslices"],
    ["/api/v1/namespaces/d/services/web", "get", "services"],
    ["/api/v1/nodes/edge-1", "get", "nodes"],
    ["/api/v1/namespaces", "list", "namespaces"],
    ["/api/v1/namespaces/d", "get", "namespaces"],
  ])("%s is a %s of %s", (path, kind, plural) => {
    const result = parse(path);
    expect(result?.ok && [result.value.kind, result.value.resource.plural]).toEqual([kind, plural]);
  });

  test.each([
    "/api/v1/pods",
    "/api/v1/services/web",
    "/api/v1/namespaces/d/services/web/status",
    "/api/v2/services",
    "/",
  ])("%s is none", (path) => {
    expect(parse(path)).toBeUndefined();
  });

  test("a watch begins where it is told, or with everything", () => {
    expect(
      parse("/api/v1/services", "watch=true&resourceVersion=7&timeoutSeconds=60&allowWatchBookmarks=1"),
    ).toMatchObject({
      value: { kind: "watch", from: 7, timeoutSeconds: 60, bookmarks: true },
    });
    expect(parse("/api/v1/services", "watch=1&resourceVersion=0")).toMatchObject({
      value: { kind: "watch", from: undefined, bookmarks: false },
    });
  });

  test("a namespace is part of what is selected", () => {
    const result = parse("/api/v1/namespaces/d/services", "labelSelector=a");
    if (!result?.ok || result.value.kind !== "list") throw new Error("not a list");
    expect(result.value.selects({ metadata: { namespace: "d", labels: { a: "1" } } })).toBe(true);
    expect(result.value.selects({ metadata: { namespace: "e", labels: { a: "1" } } })).toBe(false);
    expect(result.value.selects({ metadata: { namespace: "d" } })).toBe(false);
  });

  test.each([
    "limit=x",
    "labelSelector=a b",
    "fieldSelector=spec.x=1",
    "watch=1&resourceVersion=x",
    "watch=1&timeoutSeconds=x",
  ])("%s is refused", (query) => {
    expect(parse("/api/v1/services", query)).toMatchObject({ ok: false, error: { code: 400 } });
  });
});
