import { describe, expect, test } from "bun:test";
import { cachedObjectDecoder } from "../../../../edge/cache/cached-object.ts";

const { decode } = cachedObjectDecoder("Service", (text) => text);
const service = (spec: object) => ({
  metadata: { namespace: "d", name: "s" },
  spec: { clusterIP: "10.96.0.1", ...spec },
});
const nested = (depth: number) => JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`);

describe("an object of the cache", () => {
  test.each([
    ["what is read of it", { ports: nested(100_000) }],
    ["what is kept as it is", { sessionAffinityConfig: nested(100_000) }],
    ["little more than anything that we read", { sessionAffinityConfig: nested(31) }],
  ])("is refused, and nothing worse, when it is nested too deep in %s", (_, spec) => {
    expect(decode(service(spec))).toMatchObject({ ok: false, error: { why: expect.any(String) } });
  });

  test("is read as deep as the API nests", () => {
    const sessionAffinityConfig = { clientIP: { timeoutSeconds: 60 } };
    expect(decode(service({ sessionAffinity: "ClientIP", sessionAffinityConfig }))).toMatchObject({ ok: true });
    expect(decode(service({ sessionAffinityConfig: nested(30) }))).toMatchObject({ ok: true });
  });
});
