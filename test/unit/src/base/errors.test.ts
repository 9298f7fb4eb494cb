import { expect, test } from "bun:test";
import { errorCode, errorText, SelvedgeError } from "../../../../src/base/errors.ts";

test("an error tells its causes on one line, and keeps its code", () => {
  const cause = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  const error = new SelvedgeError("Cannot write the cache", {
    code: "CACHE_WRITE_FAILED",
    blame: "host",
    retry: "later",
    cause,
  });
  expect(errorText(error)).toBe("Cannot write the cache (no space left on device)");
  expect([errorCode(error), errorCode(cause), errorCode("thrown text")]).toEqual([
    "CACHE_WRITE_FAILED",
    "ENOSPC",
    "UNKNOWN",
  ]);
});

test("a cause that the message has in it is told once", () => {
  const cause = new Error("EROFS: read-only file system");
  expect(errorText(new Error(`Cannot write: ${cause.message}`, { cause }))).toBe(
    "Cannot write: EROFS: read-only file system",
  );
});

test("several failures at once are all told", () => {
  const failures = [new Error("the socket is busy"), new Error("the disk is full", { cause: "ENOSPC" })];
  expect(errorText(new AggregateError(failures, "Cannot close everything"))).toBe(
    "Cannot close everything (the socket is busy; the disk is full (ENOSPC))",
  );
});
