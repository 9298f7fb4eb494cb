import { describe, expect, test } from "bun:test";
import { seconds } from "../../../../src/base/duration.ts";
import { parseRetryAfter, statusError, watchError } from "../../../../src/kube/status.ts";

describe("Status objects", () => {
  test("each kind of refusal has its code and says what was refused", () => {
    const codes = [400, 401, 403, 404, 406, 409, 410, 413, 422, 429, 500, 503].map(
      (http) => statusError("list /api/v1/services", http, { message: "no" }).code,
    );
    expect(codes).toEqual([
      "KUBE_BAD_REQUEST",
      "KUBE_UNAUTHORIZED",
      "KUBE_FORBIDDEN",
      "KUBE_NOT_FOUND",
      "KUBE_NOT_ACCEPTABLE",
      "KUBE_CONFLICT",
      "KUBE_GONE",
      "KUBE_TOO_LARGE",
      "KUBE_INVALID",
      "KUBE_BUSY",
      "KUBE_SERVER_ERROR",
      "KUBE_UNAVAILABLE",
    ]);
    expect(statusError("list /api/v1/services", 403, { message: "no" }).message).toBe(
      'Cannot list /api/v1/services as the source refused: current value is 403 "no"',
    );
  });

  test("a watch's ERROR event carries its own code", () => {
    expect(watchError("watch x", { code: 410, message: "too old" }).code).toBe("KUBE_GONE");
    expect(watchError("watch x", "garbage").code).toBe("KUBE_SERVER_ERROR");
  });

  test("an answer that is no Status still gives an error, of bounded length", () => {
    expect(statusError("x", 500, undefined).message).toContain("no reason given");
    expect(statusError("x", 500, { message: "y".repeat(5000) }).message.length).toBeLessThan(700);
  });

  test("Retry-After is believed up to two minutes, and not where it is no number of seconds", () => {
    expect(["0", "5", "999999999"].map(parseRetryAfter)).toEqual([seconds(0), seconds(5), seconds(120)]);
    expect([null, "", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "9".repeat(400)].map(parseRetryAfter)).toEqual(
      Array.from({ length: 6 }, () => undefined),
    );
    expect(statusError("x", 429, undefined, seconds(5)).after).toBe(seconds(5));
    expect(statusError("x", 429, undefined).after).toBeUndefined();
  });
});
