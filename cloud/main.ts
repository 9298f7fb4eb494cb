import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { errorCode, errorText, SelvedgeError } from "../src/base/errors.ts";
import type { LogRecord } from "../src/base/log.ts";
import { Scope } from "../src/base/scope.ts";
import { VERSION } from "../src/base/version.ts";
import { SystemClock } from "../src/linux/system-clock.ts";
import { isCliCommand, runCloudCli } from "./cli/run-cloud-cli.ts";
import { HELP, parseCommandLine, type UsageError } from "./config.ts";
import { parseOperatorOptions } from "./operator/operator-options.ts";
import { findKubeconfig, openCluster } from "./wiring/cluster-access.ts";
import { startConnector } from "./wiring/connector-command.ts";
import { parseConnectorOptions } from "./wiring/connector-options.ts";
import { startHub } from "./wiring/hub-command.ts";
import { parseHubOptions } from "./wiring/hub-options.ts";
import { cleanNode, startNodeAgent } from "./wiring/node-agent-command.ts";
import { parseNodeAgentCommand } from "./wiring/node-agent-options.ts";
import { startOperator } from "./wiring/operator-command.ts";
import type { System } from "./wiring/system.ts";
import { runToken } from "./wiring/token-command.ts";
import { parseTokenCommand } from "./wiring/token-options.ts";

const [EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG] = [1, 2, 78];
const CONFIG_ERRORS = new Set(["HUB_FOLDER", "HUB_MANIFEST", "HUB_LISTEN", "HUB_STATE", "SOURCE_CONFIG"]);
const CLOCK = new SystemClock();

const SYSTEM: System = {
  clock: CLOCK,
  random: Math.random,
  newUuid: () => crypto.randomUUID(),
  randomHex: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)).toHex(),
  hash: (text) => createHash("sha256").update(text).digest("hex"),
  hostname: hostname(),
  environment: process.env,
  fetch: (url, init) => fetch(url, init),
  readText: (path) => readFile(path, "utf8"),
  fileExists: existsSync,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  log: (record) => process.stderr.write(formatLine(record, CLOCK.wall())),
};

/** A function, since bytecode knows no await at the top level. */
async function main(): Promise<number> {
  const words = process.argv.slice(2);
  if (isCliCommand(words)) return await look(words);
  const command = parseCommandLine(words);
  if (!command.ok) return refuse(command.error);
  switch (command.value.kind) {
    case "help":
      process.stdout.write(HELP);
      return 0;
    case "version":
      process.stdout.write(`selvedge-cloud ${VERSION}\n`);
      return 0;
    case "hub": {
      const { folder, listen, words } = command.value;
      const options = parseHubOptions(words, process.env);
      if (!options.ok) return refuse(options.error);
      return await runUntilStopped((scope) => startHub({ folder, listen, ...options.value }, SYSTEM, scope));
    }
    case "operator": {
      const options = parseOperatorOptions(command.value.words, process.env);
      if (!options.ok) return refuse(options.error);
      return await runUntilStopped((scope) => startOperator(options.value, SYSTEM, scope));
    }
    case "node-agent": {
      const parsed = parseNodeAgentCommand(command.value.words, process.env);
      if (!parsed.ok) return refuse(parsed.error);
      const nodeAgent = parsed.value;
      if (nodeAgent.kind === "cleanup") return await report(async () => cleanNode(nodeAgent.dryRun, SYSTEM));
      return await runUntilStopped((scope) => startNodeAgent(nodeAgent.options, SYSTEM, scope));
    }
    case "connector": {
      const options = parseConnectorOptions(command.value.words, process.env);
      if (!options.ok) return refuse(options.error);
      return await runUntilStopped((scope) => startConnector(options.value, SYSTEM, scope));
    }
    case "token": {
      const token = parseTokenCommand(command.value.words);
      return token.ok ? await report(() => runToken(token.value, SYSTEM)) : refuse(token.error);
    }
  }
}

/** Commands that show something to a person. */
async function look(words: readonly string[]): Promise<number> {
  return await runCloudCli(words, {
    clock: CLOCK,
    environment: process.env,
    terminal: process.stdout.isTTY === true,
    out: writeOut,
    err: SYSTEM.err,
    open: (kubeconfig, context) => openCluster(findKubeconfig(kubeconfig, SYSTEM), SYSTEM, context),
  });
}

/** A pipe takes what is written in pieces: whoever exits has to wait. */
async function writeOut(text: string): Promise<void> {
  // Writing nothing, Bun empties the file that the stream leads to.
  if (text === "") return;
  try {
    await Bun.write(Bun.stdout, text);
  } catch (error) {
    // "kubectl selvedge nodes | head" has read enough.
    if (errorCode(error) !== "EPIPE") throw error;
  }
}

function refuse({ kind, message }: UsageError): number {
  process.stderr.write(`selvedge-cloud: ${message}\n`);
  if (kind === "config") return EXIT_CONFIG;
  process.stderr.write("Try: selvedge-cloud --help\n");
  return EXIT_USAGE;
}

/** Runs until SIGTERM or SIGINT, and closes what was opened. */
async function runUntilStopped(start: (scope: Scope) => void | Promise<void>): Promise<number> {
  const scope = new Scope();
  // From the beginning on: the kernel does not end a container's first process by a signal that it does not take.
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  try {
    return await report(async () => {
      const started = async () => await start(scope);
      await Promise.race([started().then(() => stopped), stopped]);
    });
  } finally {
    await scope.close();
  }
}

/** @returns the status to exit with */
async function report(work: () => Promise<void>): Promise<number> {
  try {
    await work();
    return 0;
  } catch (error) {
    const hint = error instanceof SelvedgeError && error.hint !== undefined ? `\n${error.hint}` : "";
    process.stderr.write(`selvedge-cloud: ${errorText(error)}${hint}\n`);
    return CONFIG_ERRORS.has(errorCode(error)) ? EXIT_CONFIG : EXIT_FAILED;
  }
}

function formatLine({ level, event, msg, fields }: LogRecord, wall: number): string {
  return `${JSON.stringify({ time: new Date(wall).toISOString(), level, event, msg, ...fields })}\n`;
}

void main().then((code) => process.exit(code));
