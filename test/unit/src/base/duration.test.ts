import { expect, test } from "bun:test";
import { formatDuration, hours, milliseconds, minutes, parseDuration, seconds } from "../../../../src/base/duration.ts";

test.each([
  ["90s", seconds(90)],
  ["1m30s", seconds(90)],
  ["250ms", milliseconds(250)],
  ["1.5h", minutes(90)],
  ["2h", hours(2)],
] as const)("parseDuration() reads %p", (text, value) => {
  expect(parseDuration(text)).toEqual({ ok: true, value });
});

test.each([[""], ["90"], ["s"], ["-1s"], ["1 s"], ["1d"], ["1s!"]])("parseDuration() refuses %p", (text) => {
  expect(parseDuration(text).ok).toBe(false);
});

test.each([
  [milliseconds(3), "3ms"],
  [seconds(59), "59s"],
  [seconds(90), "1m30s"],
  [minutes(61), "1h1m"],
  [hours(50), "2d2h"],
] as const)("formatDuration() keeps the two leading units of %p", (value, text) => {
  expect(formatDuration(value)).toBe(text);
});
