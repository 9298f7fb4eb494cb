import { describe, expect, test } from "bun:test";
import { formatRecord, LOG_TEXT_MAX } from "../../../../edge/status/log-format.ts";
import type { LogRecord } from "../../../../src/base/log.ts";

const WALL = Date.UTC(2026, 10, 21, 5, 6, 7, 89);
const RECORD: LogRecord = {
  level: "warn",
  event: "cache.rejected",
  msg: "Cannot take a list",
  fields: { key: "Service", reason: "no resourceVersion", object_count: 3 },
};

describe("log lines", () => {
  test("JSON has time, level, event, message and the fields", () => {
    expect(JSON.parse(formatRecord(RECORD, "json", WALL))).toEqual({
      time: "2026-11-21T05:06:07.089Z",
      level: "warn",
      event: "cache.rejected",
      msg: "Cannot take a list",
      key: "Service",
      reason: "no resourceVersion",
      object_count: 3,
    });
  });

  test("text is for eyes", () => {
    expect(formatRecord(RECORD, "text", WALL)).toBe(
      '05:06:07.089 WARN  cache.rejected Cannot take a list key=Service reason="no resourceVersion" object_count=3',
    );
  });

  test("the journal gets its priority and no second time stamp", () => {
    expect(formatRecord(RECORD, "journal", WALL)).toStartWith("<4>cache.rejected Cannot take");
    expect(formatRecord({ ...RECORD, level: "error" }, "journal", WALL)).toStartWith("<3>");
    expect(formatRecord({ ...RECORD, level: "info" }, "journal", WALL)).toStartWith("<6>");
    expect(formatRecord({ ...RECORD, level: "debug" }, "journal", WALL)).toStartWith("<7>");
  });

  test("a record is one line in every format, whatever an outside text holds", () => {
    const record = { ...RECORD, msg: "a\nb", fields: { err: "c\r\n<0>d" } };
    for (const format of ["json", "text", "journal"] as const) {
      expect(formatRecord(record, format, WALL)).not.toMatch(/[\r\n]/);
    }
  });

  test("a text from outside is cut", () => {
    const line = formatRecord({ ...RECORD, fields: { err: "x".repeat(LOG_TEXT_MAX * 2) } }, "json", WALL);
    expect(line.length).toBeLessThan(LOG_TEXT_MAX + 200);
  });
});
