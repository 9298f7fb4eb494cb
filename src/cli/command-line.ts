import { nearestName } from "../base/nearest-name.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { COMMON_FLAGS, type Command, type Flag, type Program } from "./command.ts";

/** What was asked for. */
export type Invocation =
  | { readonly kind: "help"; readonly command: Command | undefined; readonly words: readonly string[] }
  | { readonly kind: "version" }
  | {
      readonly kind: "command";
      readonly command: Command;
      readonly flags: ReadonlyMap<string, string>;
      /** The first of its arguments. */
      readonly argument: string | undefined;
      readonly arguments: readonly string[];
      /** What is left for the loader of settings. */
      readonly settings: readonly string[];
    };

/** @returns an error as a sentence for a person */
export function parseCommandLine(program: Program, argv: readonly string[]): Result<Invocation, string> {
  const first = argv[0];
  if (first === undefined || first === "help" || first === "--help" || first === "-h")
    return parseHelp(program, argv.slice(1));
  if (first === "--version") return ok({ kind: "version" });
  const command = findCommand(program, argv);
  if (command === undefined) return parseGroup(program, argv);
  return parseFlags(program, command, argv.slice(command.words.length));
}

function parseHelp(program: Program, words: readonly string[]): Result<Invocation, string> {
  const command = findCommand(program, words);
  const known = words.length === 0 || command !== undefined || isGroup(program, words[0] ?? "");
  return known ? ok({ kind: "help", command, words }) : fail(unknownCommand(program, words));
}

/** A first word that only begins commands, such as "dns". */
function parseGroup(program: Program, argv: readonly string[]): Result<Invocation, string> {
  const [first = "", second] = argv;
  if (isGroup(program, first) && (second === undefined || second === "--help" || second === "-h")) {
    return ok({ kind: "help", command: undefined, words: [first] });
  }
  return fail(unknownCommand(program, argv));
}

function isGroup({ commands }: Program, word: string): boolean {
  return commands.some((command) => command.words.length > 1 && command.words[0] === word);
}

function findCommand({ commands }: Program, argv: readonly string[]): Command | undefined {
  return commands.find((command) => command.words.every((word, i) => argv[i] === word));
}

function unknownCommand(program: Program, argv: readonly string[]): string {
  const asked = (isGroup(program, argv[0] ?? "") ? argv.slice(0, 2) : argv.slice(0, 1)).join(" ");
  const near = nearestName(
    asked,
    program.commands.map((command) => command.words.join(" ")),
  );
  return `There is no command "${asked.slice(0, 64)}".${near === undefined ? "" : ` Did you mean "${near}"?`}`;
}

function parseFlags(program: Program, command: Command, argv: readonly string[]): Result<Invocation, string> {
  const known = [...command.flags, ...COMMON_FLAGS];
  const flags = new Map<string, string>();
  const settings: string[] = [];
  const rest: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    const [name = word, value] = splitFlag(word);
    const flag = word.startsWith("-") ? known.find((f) => name === `--${f.name}` || name === `-${f.short}`) : undefined;
    if (flag === undefined) {
      if (command.settings) settings.push(word);
      else if (word.startsWith("-")) return fail(unknownFlag(name, known));
      else rest.push(word);
      continue;
    }
    if (flag.name === "help") return ok({ kind: "help", command, words: command.words });
    const text = flag.placeholder === undefined ? (value ?? "true") : (value ?? argv[++i]);
    const wrong = judgeFlag(flag, text);
    if (wrong !== undefined || text === undefined) return fail(wrong ?? "");
    flags.set(flag.name, text);
  }
  const wrong = judgeArguments(program, command, rest);
  if (wrong !== undefined) return fail(wrong);
  return ok({ kind: "command", command, flags, argument: rest[0], arguments: rest, settings });
}

/** "--output=json", "-o=json" and "-ojson" all carry their value. */
function splitFlag(word: string): readonly [string, string?] {
  const long = /^(--?[^=]+)=(.*)$/s.exec(word);
  if (long !== null) return [long[1] ?? "", long[2] ?? ""];
  const glued = /^(-[a-z])(.+)$/s.exec(word);
  return glued === null ? [word] : [glued[1] ?? "", glued[2] ?? ""];
}

function judgeFlag(flag: Flag, text: string | undefined): string | undefined {
  if (text === undefined) return `Cannot use --${flag.name} as a value has to follow it: ${flag.placeholder}.`;
  const allowed = flag.placeholder === undefined ? ["true", "false"] : flag.choices;
  if (allowed === undefined || allowed.includes(text)) return undefined;
  return `Cannot use --${flag.name} as it takes one of ${allowed.join(", ")}: current value is "${text.slice(0, 64)}".`;
}

function judgeArguments({ name }: Program, { words, argument }: Command, rest: readonly string[]): string | undefined {
  const surplus = argument?.many ? undefined : rest[argument === undefined ? 0 : 1];
  if (surplus !== undefined)
    return `Cannot take "${surplus.slice(0, 64)}": "${name} ${words.join(" ")}" takes no more words.`;
  if (argument?.required && rest.length === 0) return `Cannot do it without ${argument.name}.`;
  const { choices } = argument ?? {};
  if (choices !== undefined && rest[0] !== undefined && !choices.includes(rest[0])) {
    return `Cannot use "${rest[0].slice(0, 64)}" as ${argument?.name} is one of ${choices.join(", ")}.`;
  }
  return undefined;
}

function unknownFlag(name: string, known: readonly Flag[]): string {
  const near = nearestName(
    name.replace(/^-+/, ""),
    known.map((flag) => flag.name),
  );
  return `There is no flag "${name.slice(0, 64)}" here.${near === undefined ? "" : ` Did you mean "--${near}"?`}`;
}
