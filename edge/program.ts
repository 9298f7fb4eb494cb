import { readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ProgramPages } from "../src/linux/program-pages.ts";
import { SystemClock } from "../src/linux/system-clock.ts";
import { processIo } from "./cli/process-io.ts";
import { runCli } from "./cli/run-cli.ts";
import { makeCommands } from "./wiring/commands.ts";
import type { System } from "./wiring/system.ts";

const failure = Promise.withResolvers<unknown>();

let programPages: ProgramPages | undefined;

const SYSTEM: System = {
  clock: new SystemClock(),
  random: Math.random,
  randomWord: () => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0,
  environment: process.env,
  pid: process.pid,
  executable: process.execPath,
  platform: `bun ${Bun.version} ${process.platform} ${process.arch}`,
  stderrIsTerminal: process.stderr.isTTY === true,
  fetch: (url, init) => fetch(url, init),
  readText: (path) => readFile(path, "utf8"),
  folderSize,
  heap: {
    collectGarbage: () => {
      Bun.gc(true);
      releaseProgram();
    },
    dropCode: () => {
      // Bun calls it deprecated and has nothing else that drops code.
      Bun.shrink();
      releaseProgram();
    },
  },
  openDnsThread: () => {
    // Only here: no command starts a thread, and what Bun loads for it is a tenth of their time.
    const { Worker } = process.getBuiltinModule("node:worker_threads");
    const thread = new Worker(Bun.main);
    thread.on("error", failure.resolve);
    return { send: (message) => thread.postMessage(message), receive: (take) => thread.on("message", take) };
  },
  stopRequested: () =>
    new Promise((resolve) => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
    }),
  failure: () => {
    for (const event of ["uncaughtException", "unhandledRejection"]) process.on(event, failure.resolve);
    return failure.promise;
  },
};

function releaseProgram(): void {
  programPages ??= new ProgramPages();
  programPages.release();
}

function folderSize(path: string): number {
  try {
    return readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
  } catch {
    return 0;
  }
}

/** The agent and its commands. */
export async function runProgram(): Promise<void> {
  process.exit(await runCli(process.argv.slice(2), process.env, processIo(), makeCommands(SYSTEM)));
}
