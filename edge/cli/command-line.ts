import { fail, ok, type Result } from "../../src/base/result.ts";
import { nearestName } from "../config/nearest-name.ts";
import { COMMANDS, COMMON_FLAGS, type Command, type Flag } from "./command.ts";

/** What was asked for. */
export type Invocation =
  | { readonly kind: "help"; readonly command: Command | undefined; readonly words: readonly string[] }
  | { readonly kind: "version" }
  | {
      readonly kind: "command";
      readonly command: Command;
      readonly flags: ReadonlyMap<string, string>;
      readonly argument: string | undefined;
      /** What is left for the loader of settings. */
      readonly settings: readonly string[];
    };

/** @returns an error as a sentence for a person */
export function parseCommandLine(argv: readonly string[]): Result<Invocation, string> {
  const first = argv[0];
  if (first === undefined || first === "help" || first === "--help" || first === "-h") return parseHelp(argv.slice(1));
  if (first === "--version") return ok({ kind: "version" });
  const command = findCommand(argv);
  if (command === undefined) return parseGroup(argv);
  return parseFlags(command, argv.slice(command.words.length));
}

function parseHelp(words: readonly string[]): Result<Invocation, string> {
  const command = findCommand(words);
  const known = words.length === 0 || command !== undefined || isGroup(words[0] ?? "");
  return known ? ok({ kind: "help", command, words }) : fail(unknownCommand(words));
}

/** A first word that only begins commands, such as "dns". */
function parseGroup(argv: readonly string[]): Result<Invocation, string> {
  const [first = "", second] = argv;
  if (isGroup(first) && (second === undefined || second === "--help" || second === "-h")) {
    return ok({ kind: "help", command: undefined, words: [first] });
  }
  return fail(unknownCommand(argv));
}

function isGroup(word: string): boolean {
  return COMMANDS.some((command) => command.words.length > 1 && command.words[0] === word);
}

function findCommand(argv: readonly string[]): Command | undefined {
  return COMMANDS.find((command) => command.words.every((word, i) => argv[i] === word));
}

function unknownCommand(argv: readonly string[]): string {
  const asked = (isGroup(argv[0] ?? "") ? argv.slice(0, 2) : argv.slice(0, 1)).join(" ");
  const near = nearestName(
    asked,
    COMMANDS.map((command) => command.words.join(" ")),
  );
  return `There is no command "${asked.slice(0, 64)}".${near === undefined ? "" : ` Did you mean "${near}"?`}`;
}

function parseFlags(command: Command, argv: readonly string[]): Result<Invocation, string> {
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
  const wrong = judgeArguments(command, rest);
  return wrong === undefined ? ok({ kind: "command", command, flags, argument: rest[0], settings }) : fail(wrong);
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

function judgeArguments({ words, argument }: Command, rest: readonly string[]): string | undefined {
  const surplus = rest[argument === undefined ? 0 : 1];
  if (surplus !== undefined)
    return `Cannot take "${surplus.slice(0, 64)}": "selvedge ${words.join(" ")}" takes no more words.`;
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
