import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compareResourceVersions } from "../../../../src/kube/resource-version.ts";

describe("resourceVersions", () => {
  test("are ordered as numbers, however long", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1n << 80n }), fc.bigInt({ min: 0n, max: 1n << 80n }), (a, b) => {
        expect(compareResourceVersions(String(a), String(b))).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  test("that are no numbers have no order", () => {
    for (const text of ["", "v1", "-1", "1.5", "9".repeat(129)]) {
      expect(compareResourceVersions(text, "1")).toBeUndefined();
      expect(compareResourceVersions("1", text)).toBeUndefined();
    }
  });
});
