import { expect, test } from "bun:test";
import { Pool } from "../../../../cloud/operator/pool.ts";

test("a pool gives one value for all that are equal, and forgets rather than grows", () => {
  const pool = new Pool<readonly string[]>((names) => names.join());
  const first = ["a", "b"];
  expect(pool.intern(first)).toBe(first);
  expect(pool.intern(["a", "b"])).toBe(first);
  for (let i = 0; i < 1000; i++) expect(pool.intern([`text ${i}`])).toEqual([`text ${i}`]);
  expect(pool.intern(["a", "b"])).not.toBe(first);
});
