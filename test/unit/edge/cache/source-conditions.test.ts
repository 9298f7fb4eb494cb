import { describe, expect, test } from "bun:test";
import type { KindStatus } from "../../../../edge/cache/kind-cache.ts";
import { planConditions } from "../../../../edge/cache/source-conditions.ts";
import { SelvedgeError } from "../../../../src/base/errors.ts";

const FINE: KindStatus = {
  kind: "Service",
  objectCount: 7,
  tombstoneCount: 0,
  connected: true,
  error: undefined,
  lastTrustedList: 1,
  stalenessSeconds: 0,
  heldDeletions: 0,
  rejectedCount: 0,
  rejected: [],
};

function failing(code: string, objectCount = 7): KindStatus {
  const error = new SelvedgeError(`Cannot: ${code}`, { code, blame: "peer", retry: "later", hint: "Wait." });
  return { ...FINE, connected: false, error, objectCount };
}

const codes = (...kinds: readonly KindStatus[]) => planConditions(kinds).map((c) => `${c.severity} ${c.code}`);

describe("conditions of the source", () => {
  test("there are none while all is well", () => {
    expect(codes(FINE, FINE)).toEqual([]);
  });

  test("being cut off is news with a cache, and a fault without one", () => {
    expect(codes(failing("KUBE_UNREACHABLE"), FINE)).toEqual(["info SOURCE_UNREACHABLE"]);
    expect(codes(failing("KUBE_CLOUD_ABSENT", 0))).toEqual(["degraded SOURCE_UNREACHABLE"]);
  });

  test("a refusal needs somebody to act, whatever else there is", () => {
    expect(codes(failing("KUBE_UNREACHABLE"), failing("KUBE_FORBIDDEN"))).toEqual([
      "info SOURCE_UNREACHABLE",
      "degraded SOURCE_REFUSED",
    ]);
  });

  test("rejected objects are counted and the first is named", () => {
    const rejected = { ...FINE, rejectedCount: 3, rejected: [{ key: "d/x", at: "spec.ports", why: "not an array" }] };
    expect(planConditions([FINE, rejected])[0]?.message).toBe(
      "Cannot read 3 objects; the first is Service d/x: spec.ports: not an array",
    );
  });

  test("held deletions are told while they are held", () => {
    expect(codes({ ...FINE, heldDeletions: 7 })).toEqual(["info DELETIONS_HELD"]);
  });
});
