import { readFileSync } from "node:fs";
import { errorCode } from "../base/errors.ts";

/** net/core/neighbour.c: a line of names, then a line for each processor, in hexadecimal. */
const STATISTICS = ["/proc/net/stat/arp_cache", "/proc/net/stat/ndisc_cache"];
const OVERFLOWS = "table_fulls";

/**
 * How often, since the kernel started, it had no room for another neighbour: what was sent there was dropped.
 *
 * @returns 0 where the kernel does not say, as in a network namespace of one's own
 */
export function readNeighbourOverflows(): number {
  return STATISTICS.map((file) => sumColumn(readText(file), OVERFLOWS)).reduce((a, b) => a + b, 0);
}

/** @param text as the kernel writes it: hexadecimal numbers under their names */
export function sumColumn(text: string, name: string): number {
  const [head = "", ...lines] = text.trim().split("\n");
  const at = head.trim().split(/\s+/).indexOf(name);
  if (at < 0) return 0;
  const values = lines.map((line) => Number.parseInt(line.trim().split(/\s+/)[at] ?? "", 16));
  return values.reduce((sum, value) => sum + (Number.isNaN(value) ? 0 : value), 0);
}

function readText(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  }
}
