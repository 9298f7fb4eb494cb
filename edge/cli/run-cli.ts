import { SelvedgeError } from "../../src/base/errors.ts";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { EXIT } from "../../src/cli/exit-code.ts";
import { printable } from "../../src/cli/table.ts";
import { resolveName, showPeers, showServices, showStatus, showTunnels } from "./agent-commands.ts";
import { check } from "./check-command.ts";
import type { CliCommands, CliIo, Environment } from "./cli-io.ts";
import { PROGRAM } from "./command.ts";
import type { CommandContext } from "./command-context.ts";
import { exitCodeOf } from "./exit-code.ts";
import { formatHelp, formatOverview } from "./help.ts";
import {
  cleanUp,
  configureCharon,
  connectPod,
  install,
  join,
  printCompletion,
  run,
  showVersion,
  viewConfig,
} from "./host-commands.ts";
import { sentenceOf } from "./sentence.ts";

/** What does each command of command.ts. */
export const EXECUTORS: Readonly<Record<string, (context: CommandContext) => Promise<number>>> = {
  run,
  status: showStatus,
  services: showServices,
  tunnels: showTunnels,
  peers: showPeers,
  "dns resolve": resolveName,
  check,
  cleanup: cleanUp,
  "config view": viewConfig,
  install,
  "charon-config": configureCharon,
  cni: connectPod,
  join,
  version: showVersion,
  completion: printCompletion,
};

/**
 * One command from its words to its exit status. Data goes to stdout, everything else to stderr.
 *
 * @param argv without program and script
 */
export async function runCli(
  argv: readonly string[],
  env: Environment,
  io: CliIo,
  commands: CliCommands,
): Promise<number> {
  const parsed = parseCommandLine(PROGRAM, argv);
  if (!parsed.ok) {
    await io.err(`${printable(parsed.error)}\nSee "selvedge --help".\n`);
    return EXIT.usage.code;
  }
  const invocation = parsed.value;
  const context = { io, env, commands, flags: new Map<string, string>(), argument: undefined, settings: [] };
  try {
    switch (invocation.kind) {
      case "help":
        await io.out(
          invocation.command === undefined ? formatOverview(invocation.words[0]) : formatHelp(invocation.command),
        );
        return EXIT.ok.code;
      case "version":
        return await showVersion(context);
      case "command": {
        const { command, flags, argument, settings } = invocation;
        const execute = EXECUTORS[command.words.join(" ")];
        if (execute === undefined) throw new Error(`Cannot run "${command.words.join(" ")}": nothing does it`);
        return await execute({ ...context, flags, argument, settings });
      }
    }
  } catch (error) {
    const hint = error instanceof SelvedgeError ? error.hint : undefined;
    await io.err(`${errorLines(error)}\n${hint === undefined ? "" : `${printable(hint)}\n`}`);
    return exitCodeOf(error).code;
  }
}

function errorLines(error: unknown): string {
  return sentenceOf(error).split("\n").map(printable).join("\n");
}
