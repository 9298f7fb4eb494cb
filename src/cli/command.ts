/** A flag of one command, apart from what is configured. */
export interface Flag {
  readonly name: string;
  readonly short?: string;
  /** Undefined for a switch. */
  readonly placeholder?: string;
  readonly choices?: readonly string[];
  readonly help: string;
}

export interface Command {
  /** The words that name it: ["dns", "resolve"]. */
  readonly words: readonly string[];
  /** One line. */
  readonly summary: string;
  /** Paragraphs below the summary. */
  readonly description?: string;
  readonly examples: readonly { readonly line: string; readonly does: string }[];
  readonly argument?: {
    readonly name: string;
    readonly required: boolean;
    readonly choices?: readonly string[];
    /** It may stand more than once. */
    readonly many?: true;
  };
  readonly flags: readonly Flag[];
  /** It also takes the program's settings as flags, which are left to their own loader. */
  readonly settings?: true;
}

/** A program as its user sees it: help, completion and dispatch all read this table. */
export interface Program {
  /** As it is called. */
  readonly name: string;
  readonly commands: readonly Command[];
}

export const OUTPUT: Flag = {
  name: "output",
  short: "o",
  placeholder: "FORMAT",
  choices: ["table", "json", "yaml"],
  help: "How to print: table for people, json or yaml for programs.",
};

/** Flags of every command. */
export const COMMON_FLAGS: readonly Flag[] = [
  { name: "help", short: "h", help: "Show this text." },
  { name: "no-color", help: "No colours, as with NO_COLOR in the environment." },
];
