import { expect, test } from "bun:test";
import { TextPool } from "../../../../cloud/operator/text-pool.ts";

test("a pool gives one text for all that are equal, and forgets rather than grows", () => {
  const pool = new TextPool();
  expect(pool.intern("a")).toBe("a");
  for (let i = 0; i < 1000; i++) expect(pool.intern(`text ${i}`)).toBe(`text ${i}`);
  expect(pool.intern(["a"].join())).toBe("a");
});
