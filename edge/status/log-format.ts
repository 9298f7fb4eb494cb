import type { LogFields, LogLevel, LogRecord } from "../../src/base/log.ts";

export type LogFormat = "json" | "text" | "journal";

/** Priorities of syslog(3), which sd-daemon(3) reads from "<N>" at the start of a line. */
const PRIORITY: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3 };

/** Longer texts come from outside (an error's message that quotes a whole answer) and tell no more. */
export const LOG_TEXT_MAX = 2000;

/** One record as one line, without the line feed. */
export function formatRecord(record: LogRecord, format: LogFormat, wall: number): string {
  const fields = Object.entries(record.fields).map(([name, value]) => [name, shorten(value)] as const);
  const msg = String(shorten(record.msg));
  if (format === "json") {
    const time = new Date(wall).toISOString();
    return JSON.stringify({ time, level: record.level, event: record.event, msg, ...Object.fromEntries(fields) });
  }
  const text = [record.event, msg, ...fields.map(([name, value]) => `${name}=${quote(value)}`)]
    .join(" ")
    .replace(/[\n\r]+\s*/g, " ");
  // The journal has its own time and level.
  if (format === "journal") return `<${PRIORITY[record.level]}>${text}`;
  return `${new Date(wall).toISOString().slice(11, 23)} ${record.level.toUpperCase().padEnd(5)} ${text}`;
}

type Field = NonNullable<LogFields[keyof LogFields]>;

function shorten(value: Field): Field {
  return typeof value === "string" && value.length > LOG_TEXT_MAX ? `${value.slice(0, LOG_TEXT_MAX)}...` : value;
}

/** As Go's logfmt: quotes only where a reader would lose the end of the value. */
function quote(value: Field): string {
  return typeof value === "string" && /[\s"=]|^$/.test(value) ? JSON.stringify(value) : String(value);
}
