import { expect, test } from "bun:test";
import { foldRepeats, Log, type LogRecord } from "../../../../src/base/log.ts";

test("a log passes its level and worse", () => {
  const seen: LogRecord[] = [];
  const log = new Log((r) => seen.push(r), "warn");
  log.info("a.b", "quiet");
  log.warn("a.b", "heard", { count: 2 });
  log.error("a.c", "heard too");
  expect(seen.map((r) => [r.level, r.msg])).toEqual([
    ["warn", "heard"],
    ["error", "heard too"],
  ]);
});

test("repeats of one message are folded, and the next that passes tells how many were", () => {
  const seen: LogRecord[] = [];
  let now = 0;
  const log = new Log(
    foldRepeats(
      (r) => seen.push(r),
      () => now,
      1000,
    ),
    "debug",
  );
  for (let i = 0; i < 5; i++) log.warn("a.b", "again");
  log.warn("a.b", "another");
  now = 1000;
  log.warn("a.b", "again");
  expect(seen.map((r) => [r.msg, r.fields.count])).toEqual([
    ["again", undefined],
    ["another", undefined],
    ["again", 4],
  ]);
});
