import { readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parentPort, Worker } from "node:worker_threads";
import { SystemClock } from "../src/linux/system-clock.ts";
import { processIo } from "./cli/process-io.ts";
import { runCli } from "./cli/run-cli.ts";
import { makeCommands } from "./wiring/commands.ts";
import { serveDns } from "./wiring/dns-thread.ts";
import type { System } from "./wiring/system.ts";

const failure = Promise.withResolvers<unknown>();

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
  // Bun calls shrink deprecated and has nothing else that drops code.
  heap: { collectGarbage: () => Bun.gc(true), dropCode: () => Bun.shrink() },
  openDnsThread: () => {
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

function folderSize(path: string): number {
  try {
    return readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
  } catch {
    return 0;
  }
}

/** The agent and its commands. The program's other threads begin here, too. */
export async function runProgram(): Promise<void> {
  if (parentPort !== null) {
    const port = parentPort;
    serveDns({ send: (message) => port.postMessage(message), receive: (take) => port.on("message", take) }, SYSTEM);
    return;
  }
  process.exit(await runCli(process.argv.slice(2), process.env, processIo(), makeCommands(SYSTEM)));
}
