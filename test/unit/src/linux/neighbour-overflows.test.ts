import { expect, test } from "bun:test";
import { readNeighbourOverflows, sumColumn } from "../../../../src/linux/neighbour-overflows.ts";

/** Of Linux 6.18, two processors. */
const TEXT = `entries  allocs   destroys hash_grows lookups  hits     res_failed unresolved_discards table_fulls
0000003c 000010c9 00001237 00000001   000030b5 00000d2c 00000058   00000190            0000000a
0000003c 00000000 00000000 00000000   00000000 00000000 00000000   00000000            00000010
`;

test("a column of the kernel's statistics is the sum over its processors, in hexadecimal", () => {
  expect(sumColumn(TEXT, "table_fulls")).toBe(26);
  expect(sumColumn(TEXT, "hits")).toBe(0xd2c);
});

test("a column that is not there, a cut line and no text at all are nothing", () => {
  expect(sumColumn(TEXT, "overflows")).toBe(0);
  expect(sumColumn(`${TEXT}0000003c`, "table_fulls")).toBe(26);
  expect(sumColumn("", "table_fulls")).toBe(0);
});

test("this kernel tells a number", () => {
  expect(readNeighbourOverflows()).toBeGreaterThanOrEqual(0);
});
