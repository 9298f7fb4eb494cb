import { COMMON_FLAGS, type Command, type Flag, type Program } from "./command.ts";
import { EXIT } from "./exit-code.ts";

/** A line for each command. */
export function formatCommands(commands: readonly Command[]): readonly string[] {
  return ["Commands:", ...columns(commands.map((command) => [usage(command), command.summary]))];
}

export function formatExitStatus(): readonly string[] {
  return ["Exit status:", ...columns(Object.values(EXIT).map(({ code, meaning }) => [String(code), meaning]))];
}

/**
 * Examples come first: most people need no more.
 *
 * @param settings lines about the program's settings, where the command takes them
 */
export function formatHelp({ name }: Program, command: Command, settings: readonly string[] = []): string {
  const width = Math.max(...command.examples.map((example) => example.line.length));
  const lines = [
    command.summary,
    "",
    "Examples:",
    ...command.examples.map(({ line, does }) => `  ${line.padEnd(width)}  # ${does}`),
    "",
    `Usage: ${name} ${usage(command)} [FLAGS]`,
    "",
  ];
  if (command.description !== undefined) lines.push(command.description, "");
  lines.push(
    "Flags:",
    ...columns([...command.flags, ...COMMON_FLAGS].map((flag) => [flagNames(flag), flagHelp(flag)])),
    "",
    ...settings,
  );
  return lines.join("\n");
}

function usage({ words, argument }: Command): string {
  if (argument === undefined) return words.join(" ");
  const name = `${argument.name}${argument.many ? "…" : ""}`;
  return `${words.join(" ")} ${argument.required ? name : `[${name}]`}`;
}

function flagNames({ short, name, placeholder }: Flag): string {
  return `${short === undefined ? "    " : `-${short}, `}--${name}${placeholder === undefined ? "" : ` ${placeholder}`}`;
}

function flagHelp(flag: Flag): string {
  return flag.choices === undefined ? flag.help : `${flag.help} One of ${flag.choices.join(", ")}.`;
}

function columns(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
