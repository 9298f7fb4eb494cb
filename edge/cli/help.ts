import type { Command } from "../../src/cli/command.ts";
import { formatHelp as formatCommandHelp, formatCommands, formatExitStatus } from "../../src/cli/help.ts";
import { environmentName, OPTION_GROUPS, OPTION_KEYS, type Option, optionOf } from "../config/options.ts";
import { COMMANDS, PROGRAM } from "./command.ts";

/** The overview, or the commands that begin with one word. */
export function formatOverview(group: string | undefined): string {
  const commands = formatCommands(COMMANDS.filter((command) => group === undefined || command.words[0] === group));
  if (group !== undefined) return [...commands, ""].join("\n");
  return [
    "Selvedge: services, names, pods and tunnels of a Kubernetes cluster on this edge node, with or without the cloud.",
    "",
    "Usage: selvedge COMMAND [FLAGS]",
    "",
    ...commands,
    "",
    'Flags and examples of one: "selvedge COMMAND --help".',
    "",
    ...formatExitStatus(),
    "",
  ].join("\n");
}

export function formatHelp(command: Command): string {
  return formatCommandHelp(PROGRAM, command, command.settings ? formatSettings() : []);
}

function formatSettings(): readonly string[] {
  return Object.entries(OPTION_GROUPS).flatMap(([group, title]) => {
    const options = OPTION_KEYS.map(optionOf).filter((option) => option.group === group);
    return [`${title}:`, ...options.flatMap(formatOption), ""];
  });
}

function formatOption(option: Option<unknown>): readonly string[] {
  const { type } = option;
  const value = type.format(option.fallback({ hostname: "" }));
  const told = /Default:/.test(option.help) || value === "";
  return [
    `  --${option.name}${type.switch ? "" : ` ${type.placeholder}`}`,
    `      ${option.help}${told ? "" : ` Default: ${value}.`}`,
    `      ${environmentName(option)}`,
  ];
}
