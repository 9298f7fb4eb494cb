import { environmentName, OPTION_GROUPS, OPTION_KEYS, type Option, optionOf } from "../config/options.ts";
import { COMMANDS, COMMON_FLAGS, type Command, type Flag } from "./command.ts";
import { EXIT } from "./exit-code.ts";

/** The overview, or the commands that begin with one word. */
export function formatOverview(group: string | undefined): string {
  const commands = COMMANDS.filter((command) => group === undefined || command.words[0] === group);
  const lines = [
    "Selvedge: services and names of a Kubernetes cluster on this edge node, with or without the cloud.",
    "",
    "Usage: selvedge COMMAND [FLAGS]",
    "",
    "Commands:",
    ...columns(commands.map((command) => [usage(command), command.summary])),
    "",
  ];
  if (group !== undefined) return lines.slice(4).join("\n");
  return [
    ...lines,
    'Flags and examples of one: "selvedge COMMAND --help".',
    "",
    "Exit status:",
    ...columns(Object.values(EXIT).map(({ code, meaning }) => [String(code), meaning])),
    "",
  ].join("\n");
}

/** Examples come first: most people need no more. */
export function formatHelp(command: Command): string {
  const width = Math.max(...command.examples.map((example) => example.line.length));
  const lines = [
    command.summary,
    "",
    "Examples:",
    ...command.examples.map(({ line, does }) => `  ${line.padEnd(width)}  # ${does}`),
    "",
    `Usage: selvedge ${usage(command)} [FLAGS]`,
    "",
  ];
  if (command.description !== undefined) lines.push(command.description, "");
  lines.push(
    "Flags:",
    ...columns([...command.flags, ...COMMON_FLAGS].map((flag) => [flagNames(flag), flagHelp(flag)])),
    "",
  );
  if (command.settings) {
    for (const [group, title] of Object.entries(OPTION_GROUPS)) {
      const options = OPTION_KEYS.map(optionOf).filter((option) => option.group === group);
      lines.push(`${title}:`, ...options.flatMap(formatOption), "");
    }
  }
  return lines.join("\n");
}

function usage({ words, argument }: Command): string {
  if (argument === undefined) return words.join(" ");
  return `${words.join(" ")} ${argument.required ? argument.name : `[${argument.name}]`}`;
}

function flagNames({ short, name, placeholder }: Flag): string {
  return `${short === undefined ? "    " : `-${short}, `}--${name}${placeholder === undefined ? "" : ` ${placeholder}`}`;
}

function flagHelp(flag: Flag): string {
  return flag.choices === undefined ? flag.help : `${flag.help} One of ${flag.choices.join(", ")}.`;
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

function columns(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
