import { errorCode, errorText, SelvedgeError } from "../src/base/errors.ts";
import { Log, type LogRecord } from "../src/base/log.ts";
import { Scope } from "../src/base/scope.ts";
import { VERSION } from "../src/base/version.ts";
import { SystemClock } from "../src/linux/system-clock.ts";
import { HELP, type ListenAddress, parseCommandLine } from "./config.ts";
import { Hub } from "./hub/hub.ts";

const [EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG] = [1, 2, 78];
const CONFIG_ERRORS = new Set(["HUB_FOLDER", "HUB_MANIFEST", "HUB_LISTEN"]);

/** A function, since bytecode knows no await at the top level. */
async function main(): Promise<number> {
  const command = parseCommandLine(process.argv.slice(2));
  if (!command.ok) {
    process.stderr.write(`selvedge-cloud: ${command.error.message}\n`);
    if (command.error.kind === "config") return EXIT_CONFIG;
    process.stderr.write("Try: selvedge-cloud --help\n");
    return EXIT_USAGE;
  }
  switch (command.value.kind) {
    case "help":
      process.stdout.write(HELP);
      return 0;
    case "version":
      process.stdout.write(`selvedge-cloud ${VERSION}\n`);
      return 0;
    case "hub":
      return await runHub(command.value.folder, command.value.listen);
  }
}

/** Serves until SIGTERM or SIGINT. */
async function runHub(folder: string, listen: ListenAddress): Promise<number> {
  const clock = new SystemClock();
  const log = new Log((record) => process.stderr.write(formatLine(record, clock.wall())), "info");
  const scope = new Scope();
  try {
    const hub = new Hub({ folder, listen, version: VERSION, clock, log }, scope);
    log.info("hub.serving", "The hub serves the folder", {
      url: hub.url.href,
      file: folder,
      object_count: hub.objectCount,
    });
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
