import { describe, expect, test } from "bun:test";
import type { KindStatus } from "../../../../edge/cache/kind-cache.ts";
import { hasCloudSpoken, planConditions } from "../../../../edge/cache/source-conditions.ts";
import { SelvedgeError } from "../../../../src/base/errors.ts";
import { statusError } from "../../../../src/kube/status.ts";

const FINE: KindStatus = {
  kind: "Service",
  objectCount: 7,
  tombstoneCount: 0,
  connected: true,
  error: undefined,
  withheld: false,
  trusted: true,
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

const ASKED = { kind: "api-server", nodeName: "edge-1" } as const;

const codes = (...kinds: readonly KindStatus[]) => planConditions(kinds, ASKED).map((c) => `${c.severity} ${c.code}`);

describe("conditions of the source", () => {
  test("there are none while all is well", () => {
    expect(codes(FINE, FINE)).toEqual([]);
  });

  test("being cut off is news with a cache, and a fault without one", () => {
    expect(codes(failing("KUBE_UNREACHABLE"), FINE)).toEqual(["info SOURCE_UNREACHABLE"]);
    expect(codes(failing("KUBE_CLOUD_ABSENT", 0))).toEqual(["degraded SOURCE_UNREACHABLE"]);
  });

  test.each([500, 502, 503, 504])("a gateway or server that answers %d is away, and nobody has to act", (status) => {
    const error = statusError("list /api/v1/services", status, {});
    expect(codes({ ...failing(""), error })).toEqual(["info SOURCE_UNREACHABLE"]);
  });

  test("a refusal needs somebody to act, whatever else there is", () => {
    expect(codes(failing("KUBE_UNREACHABLE"), failing("KUBE_FORBIDDEN"))).toEqual([
      "info SOURCE_UNREACHABLE",
      "degraded SOURCE_REFUSED",
    ]);
  });

  test("a source that is not believed needs somebody to act, cache or not", () => {
    expect(codes(failing("KUBE_UNTRUSTED"))).toEqual(["degraded SOURCE_REFUSED"]);
  });

  test("where nobody is at metaServer's port, the hint has the setting that switches it on", () => {
    const hint = (code: string, source: "metaserver" | "hub") =>
      planConditions([failing(code)], { ...ASKED, kind: source })[0]?.hint;
    expect(hint("KUBE_UNREACHABLE", "metaserver")).toContain("modules.metaManager.metaServer.enable");
    expect(hint("KUBE_CLOUD_ABSENT", "metaserver")).toBe("Wait.");
    expect(hint("KUBE_UNREACHABLE", "hub")).toBe("Wait.");
  });

  test("a node that the cloud does not know is told, and at a hub, whose folder need not have it, for information", () => {
    const node = { ...FINE, kind: "Node" as const, objectCount: 0 };
    const told = (status: KindStatus, kind: "metaserver" | "hub" = "metaserver") =>
      planConditions([FINE, status], { kind, nodeName: "shop-1" }).map((c) => `${c.severity} ${c.code} ${c.message}`);
    const sentence = "Cannot find this node as the source has no Node of its name: current value is shop-1";
    expect(told(node)).toEqual([`degraded NODE_UNKNOWN ${sentence}`]);
    expect(told(node, "hub")).toEqual([`info NODE_UNKNOWN ${sentence}`]);
    for (const known of [
      { objectCount: 1 },
      { trusted: false },
      { connected: false },
      { rejectedCount: 1, rejected: [{ key: "shop-1", at: "spec", why: "not an object" }] },
    ]) {
      expect(told({ ...node, ...known }).filter((said) => said.includes("NODE_UNKNOWN"))).toEqual([]);
    }
  });

  test("a kind that is withheld is told as such, and not as a cloud that is away", () => {
    const withheld = { ...failing("KUBE_CLOUD_ABSENT"), kind: "EndpointSlice" as const, withheld: true };
    expect(codes(FINE, withheld)).toEqual(["info ENDPOINT_SLICES_WITHHELD"]);
  });

  test("rejected objects are counted and the first is named", () => {
    const rejected = { ...FINE, rejectedCount: 3, rejected: [{ key: "d/x", at: "spec.ports", why: "not an array" }] };
    expect(planConditions([FINE, rejected], ASKED)[0]?.message).toBe(
      "Cannot read 3 objects; the first is Service d/x: spec.ports: not an array",
    );
  });

  test("held deletions are told while they are held", () => {
    expect(codes({ ...FINE, heldDeletions: 7 })).toEqual(["info DELETIONS_HELD"]);
  });
});

describe("this node's own documents", () => {
  const refused = (code: string, objectCount: number): KindStatus => ({
    ...failing(code, objectCount),
    kind: "Secret",
  });

  test("that are refused are worth knowing before there were any, and a fault once there were", () => {
    expect(codes(FINE, refused("KUBE_FORBIDDEN", 0))).toEqual(["info NODE_DOCUMENTS_WITHHELD"]);
    expect(codes(FINE, refused("KUBE_FORBIDDEN", 1))).toEqual(["degraded NODE_DOCUMENTS_WITHHELD"]);
    // metaServer answers so when its cloudcore may not read them.
    expect(codes(FINE, refused("KUBE_CLOUD_ABSENT", 0))).toEqual(["info NODE_DOCUMENTS_WITHHELD"]);
  });

  test("that nobody has heard of are nothing to tell", () => {
    expect(codes(FINE, refused("KUBE_NOT_FOUND", 0))).toEqual([]);
    expect(codes(FINE, refused("KUBE_NOT_FOUND", 1))).toEqual(["degraded NODE_DOCUMENTS_WITHHELD"]);
  });

  test("are no news of their own while the cloud is away", () => {
    expect(codes(failing("KUBE_UNREACHABLE"), refused("KUBE_UNREACHABLE", 1))).toEqual(["info SOURCE_UNREACHABLE"]);
    expect(codes(failing("KUBE_CLOUD_ABSENT"), refused("KUBE_CLOUD_ABSENT", 1))).toEqual(["info SOURCE_UNREACHABLE"]);
  });
});

describe("what most clusters do not have", () => {
  test.each(["KUBE_NOT_FOUND", "KUBE_FORBIDDEN", "KUBE_CLOUD_ABSENT", "KUBE_SERVER_ERROR", "KUBE_BAD_REQUEST"])(
    "is nothing to tell when the source says %s, whether it was there or not",
    (code) => {
      for (const count of [0, 7]) expect(codes(FINE, { ...failing(code, count), kind: "GlobalService" })).toEqual([]);
    },
  );
});

describe("the cloud's word", () => {
  const given = (kind: KindStatus["kind"]): KindStatus => ({ ...FINE, kind });
  const silent = (kind: KindStatus["kind"]): KindStatus => ({ ...given(kind), trusted: false });
  const refused = (kind: KindStatus["kind"], code: string): KindStatus => ({ ...failing(code), trusted: false, kind });
  const others = [given("Endpoints"), given("Node")];

  test("is complete when every kind has been listed", () => {
    expect(hasCloudSpoken([given("Service"), given("EndpointSlice"), ...others])).toBe(true);
    expect(hasCloudSpoken([given("Service"), silent("EndpointSlice"), ...others])).toBe(false);
    expect(hasCloudSpoken([silent("Service"), given("EndpointSlice"), ...others])).toBe(false);
  });

  test.each(["KUBE_FORBIDDEN", "KUBE_NOT_FOUND", "KUBE_CLOUD_ABSENT"])("does not wait for slices on %s", (code) => {
    expect(hasCloudSpoken([given("Service"), refused("EndpointSlice", code), ...others])).toBe(true);
  });

  test("waits for a kind whose request was lost, for services, and for endpoints of either kind", () => {
    expect(hasCloudSpoken([given("Service"), refused("EndpointSlice", "KUBE_UNREACHABLE"), ...others])).toBe(false);
    expect(hasCloudSpoken([refused("Service", "KUBE_FORBIDDEN"), given("EndpointSlice"), ...others])).toBe(false);
    const both = [refused("EndpointSlice", "KUBE_FORBIDDEN"), refused("Endpoints", "KUBE_FORBIDDEN")];
    expect(hasCloudSpoken([given("Service"), ...both, given("Node")])).toBe(false);
  });

  test("about services does not wait for what they do not need", () => {
    const rest = [silent("ConfigMap"), refused("Secret", "KUBE_UNREACHABLE"), silent("GlobalService")];
    expect(hasCloudSpoken([given("Service"), given("EndpointSlice"), ...others, ...rest])).toBe(true);
  });
});
