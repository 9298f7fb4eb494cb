import { readSync } from "node:fs";
import type { Clock } from "../../src/base/clock.ts";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import { type PluginOutcome, runPlugin } from "../pod/plugin.ts";

/** A configuration has a few kilobytes; the previous result of a long chain of plugins is a part of it. */
const INPUT_BYTES_MAX = 1024 * 1024;

const STDIN = 0;

/** `selvedge cni`: what a container runtime runs for each pod. */
export function runCni(env: Readonly<Record<string, string | undefined>>, clock: Clock): Promise<PluginOutcome> {
  return runPlugin({ env, clock, readInput });
}

function readInput(): string {
  const buffer = Buffer.alloc(INPUT_BYTES_MAX + 1);
  let length = 0;
  for (;;) {
    const more = readPiece(buffer, length);
    if (more === 0) return buffer.toString("utf8", 0, length);
    length += more;
    if (length > INPUT_BYTES_MAX) throw input(`it is longer than ${INPUT_BYTES_MAX} bytes`);
  }
}

function readPiece(buffer: Buffer, at: number): number {
  try {
    return readSync(STDIN, buffer, at, buffer.length - at, null);
  } catch (error) {
    throw input(errorCode(error));
  }
}

function input(why: string): SelvedgeError {
  return new SelvedgeError(`Cannot read the network configuration from standard input: ${why}`, {
    code: "CNI_INPUT",
    blame: "peer",
    retry: "never",
    hint: "A container runtime calls this program; by hand, cnitool does.",
  });
}
