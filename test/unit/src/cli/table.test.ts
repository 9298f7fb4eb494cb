import { expect, test } from "bun:test";
import { coloured, formatTable, printable } from "../../../../src/cli/table.ts";

test("columns are as wide as their widest cell, and lines have no blanks at their end", () => {
  expect(
    formatTable(
      ["NAME", "PORTS"],
      [
        ["a", "80/TCP"],
        ["long-name", ""],
      ],
    ),
  ).toBe("NAME        PORTS\na           80/TCP\nlong-name\n");
});

test("a wide character takes two columns, and a colour none", () => {
  const lines = formatTable(
    ["NODE", "X"],
    [
      ["边缘", "1"],
      [coloured("red", "ab"), "2"],
    ],
  ).split("\n");
  expect(lines.map((line) => Bun.stringWidth(line))).toEqual([8, 8, 8, 0]);
});

test("a text from outside cannot steer the terminal", () => {
  expect(printable("a\x1b]0;title\x07b\x1b[2Jc\nd\x9b1m")).toBe("a\\x1b]0;title\\x07b\\x1b[2Jc\\x0ad\\x9b1m");
  expect(printable(coloured("red", "x"))).toBe("\x1b[31mx\x1b[0m");
});
