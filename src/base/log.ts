export type LogLevel = "debug" | "info" | "warn" | "error";

/** The dictionary of field names: a new fact gets a name here, so that one fact has one name everywhere. */
export interface LogFields {
  readonly addr?: string;
  readonly attempt?: number;
  readonly code?: string;
  readonly count?: number;
  readonly delay_ms?: number;
  readonly duration_ms?: number;
  readonly element_count?: number;
  readonly err?: string;
  readonly file?: string;
  readonly from?: string;
  readonly hint?: string;
  readonly iface?: string;
  readonly key?: string;
  readonly kind?: string;
  readonly mode?: string;
  readonly name?: string;
  readonly object_count?: number;
  readonly port?: number;
  readonly reason?: string;
  readonly resource_version?: string;
  readonly service?: string;
  readonly size_bytes?: number;
  readonly source?: string;
  readonly table?: string;
  readonly to?: string;
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

/** Folds repeats of one event and text: the first passes, then one a `windowMs` with the number folded in `count`. */
export function foldRepeats(sink: LogSink, now: () => number, windowMs: number): LogSink {
  const seen = new Map<string, { until: number; folded: number }>();
  return (record) => {
    const key = `${record.event}\0${record.msg}`;
    const at = now();
    const entry = seen.get(key);
    if (entry !== undefined && at < entry.until) {
      entry.folded += 1;
      return;
    }
    if (seen.size > 1000) seen.clear();
    seen.set(key, { until: at + windowMs, folded: 0 });
    const folded = entry?.folded ?? 0;
    sink(folded === 0 ? record : { ...record, fields: { ...record.fields, count: folded } });
  };
}
