import { fstatSync, writeSync } from "node:fs";
import type { Clock } from "../../src/base/clock.ts";
import { minutes } from "../../src/base/duration.ts";
import { foldRepeats, type LogSink } from "../../src/base/log.ts";
import { formatRecord, type LogFormat } from "./log-format.ts";

const STDERR = 2;

/** A fault that repeats every second says so once in this time. */
const FOLD = minutes(1);

/**
 * Lines on stderr.
 *
 * @param journalStream the environment's JOURNAL_STREAM
 */
export function openLogSink(
  wanted: "auto" | "json" | "text",
  journalStream: string | undefined,
  terminal: boolean,
  clock: Clock,
): LogSink {
  const format = wanted === "auto" ? automaticFormat(journalStream, terminal) : wanted;
  const write: LogSink = (record) => {
    try {
      writeSync(STDERR, `${formatRecord(record, format, clock.wall())}\n`);
    } catch {
      // A reader that went away (EPIPE) or does not keep up (EAGAIN) must not stop the network of a node.
    }
  };
  return foldRepeats(write, () => clock.now(), FOLD);
}

function automaticFormat(journalStream: string | undefined, terminal: boolean): LogFormat {
  if (journalStream !== undefined && journalStream === identityOf(STDERR)) return "journal";
  return terminal ? "text" : "json";
}

/** systemd.exec(5): JOURNAL_STREAM is "device:inode" of the journal's socket; a redirected stderr is another. */
function identityOf(fd: number): string | undefined {
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
