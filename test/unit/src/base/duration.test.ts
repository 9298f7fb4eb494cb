import { expect, test } from "bun:test";
import { formatDuration, hours, milliseconds, minutes, seconds } from "../../../../src/base/duration.ts";

test.each([
  [milliseconds(3), "3ms"],
  [seconds(59), "59s"],
  [seconds(90), "1m30s"],
  [minutes(61), "1h1m"],
  [hours(50), "2d2h"],
] as const)("formatDuration() keeps the two leading units of %p", (value, text) => {
  expect(formatDuration(value)).toBe(text);
});
