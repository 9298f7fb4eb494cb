import { minutes } from "../../src/base/duration.ts";
import { foldRepeats, Log, type LogLevel } from "../../src/base/log.ts";
import type { System } from "./system.ts";

const WINDOW = minutes(1);

/** The log of a program that runs for years: what is said again and again is said once a minute. */
export function openLog({ log, clock }: Pick<System, "log" | "clock">, level: LogLevel): Log {
  const sink = foldRepeats(log, () => clock.now(), WINDOW);
  return new Log(sink, level);
}
