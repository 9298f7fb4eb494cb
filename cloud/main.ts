import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { minutes } from "../src/base/duration.ts";
import { errorCode, errorText, SelvedgeError } from "../src/base/errors.ts";
import { foldRepeats, Log, type LogRecord, type LogSink } from "../src/base/log.ts";
import { Metrics } from "../src/base/metrics.ts";
import { Scope } from "../src/base/scope.ts";
import { VERSION } from "../src/base/version.ts";
import { KubeClient } from "../src/kube/client.ts";
import { openSource } from "../src/kube/source.ts";
import { SystemClock } from "../src/linux/system-clock.ts";
import { HELP, type ListenAddress, parseCommandLine, type UsageError } from "./config.ts";
import { Hub } from "./hub/hub.ts";
import { startHttpServer } from "./operator/http-server.ts";
import { Operator } from "./operator/operator.ts";
import { type OperatorOptions, parseOperatorOptions } from "./operator/operator-options.ts";

const [EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG] = [1, 2, 78];
const CONFIG_ERRORS = new Set(["HUB_FOLDER", "HUB_MANIFEST", "HUB_LISTEN", "SOURCE_CONFIG"]);
const LOG_WINDOW = minutes(1);

/** A function, since bytecode knows no await at the top level. */
async function main(): Promise<number> {
  const command = parseCommandLine(process.argv.slice(2));
  if (!command.ok) return refuse(command.error);
  switch (command.value.kind) {
    case "help":
      process.stdout.write(HELP);
      return 0;
    case "version":
      process.stdout.write(`selvedge-cloud ${VERSION}\n`);
      return 0;
    case "hub":
      return await runHub(command.value.folder, command.value.listen);
    case "operator": {
      const options = parseOperatorOptions(command.value.words, process.env);
      return options.ok ? await runOperator(options.value) : refuse(options.error);
    }
  }
}

function refuse({ kind, message }: UsageError): number {
  process.stderr.write(`selvedge-cloud: ${message}\n`);
  if (kind === "config") return EXIT_CONFIG;
  process.stderr.write("Try: selvedge-cloud --help\n");
  return EXIT_USAGE;
}

async function runHub(folder: string, listen: ListenAddress): Promise<number> {
  return await runUntilStopped((scope, write, clock) => {
    const log = new Log(write, "info");
    const hub = new Hub({ folder, listen, version: VERSION, clock, log }, scope);
    log.info("hub.serving", "The hub serves the folder", {
      url: hub.url.href,
      file: folder,
      object_count: hub.objectCount,
    });
  });
}

async function runOperator(options: OperatorOptions): Promise<number> {
  const { settings, kubeconfig, authoritySecret, leaseName, timing, listen, logLevel } = options;
  return await runUntilStopped(async (scope, write, clock) => {
    const log = new Log(
      foldRepeats(write, () => clock.now(), LOG_WINDOW),
      logLevel,
    );
    const endpoint = await openSource({ ...NO_SOURCE, kubeconfig }, process.env, (path) => readFile(path, "utf8"));
    const client = new KubeClient(endpoint, `selvedge-cloud/${VERSION}`, (url, init) => fetch(url, init), clock);
    const metrics = new Metrics("selvedge");
    const identity = `${hostname()}_${crypto.randomUUID()}`;
    const newEventSuffix = () => crypto.randomUUID();
    const operator = new Operator(
      {
        client,
        settings,
        authoritySecret,
        leaseName,
        timing,
        identity,
        newEventSuffix,
        clock,
        random: Math.random,
        log,
        metrics,
      },
      scope,
    );
    const url = startHttpServer({ listen, status: () => operator.status, metrics }, scope);
    log.info("operator.started", "The operator reads the cluster", { url: url.href, name: identity });
  });
}

/** Where nothing is said, the service account's pod finds the API server. */
const NO_SOURCE = {
  url: undefined,
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
  tokenFile: undefined,
  insecure: false,
};

/** Runs until SIGTERM or SIGINT, and closes what was opened. */
async function runUntilStopped(
  start: (scope: Scope, write: LogSink, clock: SystemClock) => void | Promise<void>,
): Promise<number> {
  const clock = new SystemClock();
  const write = (record: LogRecord) => process.stderr.write(formatLine(record, clock.wall()));
  const scope = new Scope();
  try {
    await start(scope, write, clock);
    await new Promise<void>((resolve) => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
    });
    return 0;
  } catch (error) {
    const hint = error instanceof SelvedgeError && error.hint !== undefined ? `\n${error.hint}` : "";
    process.stderr.write(`selvedge-cloud: ${errorText(error)}${hint}\n`);
    return CONFIG_ERRORS.has(errorCode(error)) ? EXIT_CONFIG : EXIT_FAILED;
  } finally {
    await scope.close();
  }
}

function formatLine({ level, event, msg, fields }: LogRecord, wall: number): string {
  return `${JSON.stringify({ time: new Date(wall).toISOString(), level, event, msg, ...fields })}\n`;
}

void main().then((code) => process.exit(code));
