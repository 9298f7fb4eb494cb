export type LogLevel = "debug" | "info" | "warn" | "error";

/** The dictionary of field names: a new fact gets a name here, so that one fact has one name everywhere. */
export interface LogFields {
  readonly addr?: string;
  readonly code?: string;
  readonly count?: number;
  readonly delay_ms?: number;
  readonly duration_ms?: number;
  readonly err?: string;
  readonly file?: string;
  readonly hint?: string;
  readonly key?: string;
  readonly mode?: string;
  readonly name?: string;
  readonly object_count?: number;
  readonly port?: number;
  readonly reason?: string;
  readonly service?: string;
  readonly table?: string;
  readonly url?: string;
  readonly version?: string;
}

export interface LogRecord {
  readonly level: LogLevel;
  /** Stable dotted name, such as "cache.rejected". */
  readonly event: string;
  /** A sentence for a person. */
  readonly msg: string;
  readonly fields: LogFields;
}

export type LogSink = (record: LogRecord) => void;

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** error: someone must act; warn: we act; info: state changed; debug: per packet or request. */
export class Log {
  readonly #sink: LogSink;
  readonly #least: number;

  constructor(sink: LogSink, level: LogLevel) {
    this.#sink = sink;
    this.#least = RANK[level];
  }

  debug(event: string, msg: string, fields: LogFields = {}): void {
    this.#write("debug", event, msg, fields);
  }
  info(event: string, msg: string, fields: LogFields = {}): void {
    this.#write("info", event, msg, fields);
  }
  warn(event: string, msg: string, fields: LogFields = {}): void {
    this.#write("warn", event, msg, fields);
  }
  error(event: string, msg: string, fields: LogFields = {}): void {
    this.#write("error", event, msg, fields);
  }

  #write(level: LogLevel, event: string, msg: string, fields: LogFields): void {
    if (RANK[level] >= this.#least) this.#sink({ level, event, msg, fields });
  }
}

/**
 * Folds repeats: the first passes, then one a `windowMs`, with the number folded in `count`. A repeat says what the last
 * record of its component (the first word of its event) said, numbers aside: so what went away and came back is told, and
 * so is the same of two addresses.
 */
export function foldRepeats(sink: LogSink, now: () => number, windowMs: number): LogSink {
  const last = new Map<string, { readonly said: string; readonly record: LogRecord; until: number; folded: number }>();
  return (record) => {
    const component = record.event.split(".", 1)[0] ?? "";
    const said = JSON.stringify([record.event, record.msg, ...Object.values(record.fields).filter(isText)]);
    const entry = last.get(component);
    const at = now();
    if (entry?.said === said && at < entry.until) {
      entry.folded += 1;
      return;
    }
    last.set(component, { said, record, until: at + windowMs, folded: 0 });
    const folded = entry?.folded ?? 0;
    if (entry === undefined || folded === 0) sink(record);
    else if (entry.said === said) sink(counted(record, folded));
    else {
      sink(counted(entry.record, folded));
      sink(record);
    }
  };
}

function counted(record: LogRecord, count: number): LogRecord {
  return { ...record, fields: { ...record.fields, count } };
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}
