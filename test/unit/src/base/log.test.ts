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

function folding() {
  const seen: LogRecord[] = [];
  const time = { now: 0 };
  const sink = foldRepeats(
    (record) => seen.push(record),
    () => time.now,
    1000,
  );
  return { log: new Log(sink, "debug"), time, seen: () => seen.map((r) => [r.msg, r.fields.count]) };
}

test("repeats are folded, and the next record that passes tells how many were", () => {
  const { log, time, seen } = folding();
  for (let i = 0; i < 5; i++) log.warn("a.b", "again", { delay_ms: i });
  time.now = 1000;
  for (let i = 0; i < 3; i++) log.warn("a.b", "again");
  log.warn("a.c", "another");
  log.warn("a.c", "another");
  log.warn("b.c", "of somebody else");
  expect(seen()).toEqual([
    ["again", undefined],
    ["again", 4],
    ["again", 2],
    ["another", undefined],
    ["of somebody else", undefined],
  ]);
});

test("what comes, goes and comes again within the window is told to its end", () => {
  const { log, seen } = folding();
  log.warn("health.raised", "down");
  log.info("health.cleared", "no longer: down");
  log.warn("health.raised", "down");
  expect(seen().map(([msg]) => msg)).toEqual(["down", "no longer: down", "down"]);
});

test("the same of two addresses is no repeat", () => {
  const { log, seen } = folding();
  for (const addr of ["169.254.25.10", "fd00::10"]) log.info("dns.listening", "DNS server listens", { addr });
  expect(seen()).toHaveLength(2);
});
