import { describe, expect, test } from "bun:test";
import { isAuthoritative, type ListAnswer, type SourceKind } from "../../../../src/kube/trust.ts";

const CLOUD: ListAnswer = { resourceVersion: "4711", selfLink: undefined };
const CASES: readonly (readonly [SourceKind, string, ListAnswer, boolean])[] = [
  ["metaserver", "the cloud's list", CLOUD, true],
  ["metaserver", "the list of an API server before 1.20", { ...CLOUD, selfLink: "/api/v1/services" }, true],
  ["metaserver", "such a list of a group", { ...CLOUD, selfLink: "/apis/discovery.k8s.io/v1/endpointslices" }, true],
  ["metaserver", "rows of its own", { ...CLOUD, selfLink: "/core/v1/services/null/null" }, false],
  ["metaserver", "rows of a group that begins with api", { ...CLOUD, selfLink: "/apiextensions.k8s.io/v1/x" }, false],
  ["metaserver", "no rows", { resourceVersion: undefined, selfLink: undefined }, false],
  ["lite-apiserver", "what it cached", CLOUD, true],
  ["yurthub", "a list without a version", { ...CLOUD, resourceVersion: undefined }, false],
  ["api-server", "a list", CLOUD, true],
  ["hub", "a list", CLOUD, true],
];

describe("trust", () => {
  for (const [source, what, answer, expected] of CASES) {
    test(`${source}: ${what} is ${expected ? "" : "not "}the cloud's word`, () => {
      expect(isAuthoritative(source, answer)).toBe(expected);
    });
  }
});
