import { COMMON_FLAGS, type Command } from "../../src/cli/command.ts";
import { OPTION_KEYS, OPTIONS } from "../config/options.ts";
import { COMMANDS } from "./command.ts";

export type Shell = "bash" | "zsh" | "fish";

/** What makes the shell complete the table of commands; `argument` is one of the shells. */
export function formatCompletion(shell: Shell): string {
  if (shell === "fish") return fishCompletion();
  // zsh runs bash's completions after bashcompinit: one script serves both.
  return shell === "zsh" ? `autoload -U +X bashcompinit && bashcompinit\n${bashCompletion()}` : bashCompletion();
}

function flagsOf(command: Command): readonly string[] {
  const own = [...command.flags, ...COMMON_FLAGS].map((flag) => `--${flag.name}`);
  return command.settings ? [...own, ...OPTION_KEYS.map((key) => `--${OPTIONS[key].name}`)] : own;
}

/** The words that may stand in one place: after `after`, what may come next. */
function nextWords(): ReadonlyMap<string, readonly string[]> {
  const places = new Map<string, Set<string>>();
  const add = (after: string, word: string) => {
    places.set(after, (places.get(after) ?? new Set()).add(word));
  };
  for (const command of COMMANDS) {
    for (const [i, word] of command.words.entries()) add(command.words.slice(0, i).join(" "), word);
    for (const choice of command.argument?.choices ?? []) add(command.words.join(" "), choice);
  }
  return new Map([...places].map(([after, words]) => [after, [...words]]));
}

function bashCompletion(): string {
  const commands = [...nextWords()].map(([after, words]) => `    "${after}") words="${words.join(" ")}" ;;`);
  const flags = COMMANDS.map(
    (command) => `    "${command.words.join(" ")}"*) flags="${flagsOf(command).join(" ")}" ;;`,
  );
  const values = new Map(
    COMMANDS.flatMap((command) => command.flags).flatMap((flag) =>
      flag.choices === undefined
        ? []
        : [[`--${flag.name}${flag.short === undefined ? "" : `|-${flag.short}`}`, flag.choices]],
    ),
  );
  const choices = [...values].map(([names, words]) => `    ${names}) words="${words.join(" ")}" ;;`);
  return `_selvedge() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" words="" flags="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ "\${COMP_WORDS[i]}" == -* ]] && break
    path="\${path:+$path }\${COMP_WORDS[i]}"
  done
  case "$path" in
${commands.join("\n")}
  esac
  case "$path" in
${flags.join("\n")}
  esac
  case "\${COMP_WORDS[COMP_CWORD - 1]}" in
${choices.join("\n")}
  esac
  [[ "$current" == -* ]] && words="$flags"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _selvedge selvedge
`;
}

function fishCompletion(): string {
  const quote = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;
  const lines = ["complete -c selvedge -f"];
  for (const command of COMMANDS) {
    const [first = "", second] = command.words;
    const chosen = command.words.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    const offer = (condition: string, word: string, help: string) =>
      lines.push(`complete -c selvedge -n ${quote(condition)} -a ${word} -d ${quote(help)}`);
    if (second === undefined) offer("__fish_use_subcommand", first, command.summary);
    else {
      offer("__fish_use_subcommand", first, `${first} ${second}`);
      offer(
        `__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${second}`,
        second,
        command.summary,
      );
    }
    for (const choice of command.argument?.choices ?? []) offer(chosen, choice, "");
    for (const flag of [...command.flags, ...COMMON_FLAGS]) {
      const short = flag.short === undefined ? "" : ` -s ${flag.short}`;
      const value = flag.placeholder === undefined ? "" : ` -x -a ${quote((flag.choices ?? []).join(" "))}`;
      lines.push(`complete -c selvedge -n ${quote(chosen)} -l ${flag.name}${short}${value} -d ${quote(flag.help)}`);
    }
    for (const key of command.settings ? OPTION_KEYS : []) {
      lines.push(`complete -c selvedge -n ${quote(chosen)} -l ${OPTIONS[key].name} -d ${quote(OPTIONS[key].help)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}
