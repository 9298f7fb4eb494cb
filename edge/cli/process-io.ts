import { closeSync, openSync, readSync } from "node:fs";
import { hostname } from "node:os";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import type { CliIo } from "./cli-io.ts";
import { askAgent } from "./control-client.ts";

/** Settings of one node are some dozen lines. */
export const CONFIG_FILE_BYTES_MAX = 256 * 1024;

/** The real streams, files and sockets. */
export function processIo(): CliIo {
  return {
    host: { hostname: hostname() },
    terminal: { out: process.stdout.isTTY === true, err: process.stderr.isTTY === true },
    out: (text) => write(Bun.stdout, text),
    err: (text) => write(Bun.stderr, text),
    readFile: async (path) => readBounded(path),
    ask: askAgent,
    observeHost: async (config) => {
      // Only here: one command looks at the whole node.
      const { observeHost } = await import("./host-facts.ts");
      return observeHost(config);
    },
  };
}

async function write(stream: typeof Bun.stdout, text: string): Promise<void> {
  // Writing nothing, Bun empties the file that the stream leads to.
  if (text === "") return;
  try {
    await Bun.write(stream, text);
  } catch (error) {
    // "selvedge services | head" has read enough.
    if (errorCode(error) !== "EPIPE") throw error;
  }
}

function readBounded(path: string): string | undefined {
  try {
    const descriptor = openSync(path, "r");
    try {
      const buffer = Buffer.alloc(CONFIG_FILE_BYTES_MAX + 1);
      const length = readSync(descriptor, buffer, 0, buffer.length, 0);
      if (length > CONFIG_FILE_BYTES_MAX) throw new Error(`it is longer than ${CONFIG_FILE_BYTES_MAX} bytes`);
      return buffer.toString("utf8", 0, length);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    const message = `Cannot read ${path}: ${error instanceof Error ? error.message : code}`;
    const rest = { blame: "user", retry: "never", cause: error } as const;
    throw code === "EACCES" || code === "EPERM"
      ? new SelvedgeError(message, {
          ...rest,
          code: "CONFIG_FORBIDDEN",
          hint: "Run as root, or name another --config.",
        })
      : new SelvedgeError(message, {
          ...rest,
          code: "CONFIG_UNREADABLE",
          hint: "Name a readable YAML file with --config.",
        });
  }
}
