import { FABEDGE_ARGUMENTS } from "./fabedge-arguments.ts";
import { optionKeyOfName, optionOf } from "./options.ts";
import { boolean } from "./value-type.ts";

/** One argument as it was written. */
export interface Argument {
  readonly name: string;
  /** Undefined where a value should have followed and nothing did. */
  readonly text: string | undefined;
}

export interface Arguments {
  readonly settings: readonly Argument[];
  /** Neither settings nor their values. */
  readonly strays: readonly string[];
}

/**
 * Takes "--name=value", "--name value" and, for switches, "--name" apart. `run` has no other words, so that
 * "--enable-dns false" means what it says (Go's flags would take it for true), and a word after an unknown argument
 * is that argument's value.
 */
export function readArguments(argv: readonly string[]): Arguments {
  const settings: Argument[] = [];
  const strays: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const match = /^(?:--([^=]+)|-(v))(?:=(.*))?$/s.exec(argv[i] ?? "");
    if (match === null) {
      strays.push(argv[i] ?? "");
      continue;
    }
    const name = match[1] ?? match[2] ?? "";
    const next = argv[i + 1];
    if (match[3] !== undefined) {
      settings.push({ name, text: match[3] });
    } else if (takesNext(name, next)) {
      settings.push({ name, text: next });
      i += 1;
    } else {
      settings.push({ name, text: isSwitch(name) ? "true" : undefined });
    }
  }
  return { settings, strays };
}

function isSwitch(name: string): boolean {
  const key = optionKeyOfName(name);
  return key !== undefined && optionOf(key).type.switch === true;
}

function takesNext(name: string, next: string | undefined): boolean {
  if (next === undefined) return false;
  if (isSwitch(name)) return boolean.parse(next).ok;
  const known = optionKeyOfName(name) !== undefined || Object.hasOwn(FABEDGE_ARGUMENTS, name);
  return known ? !next.startsWith("--") : !next.startsWith("-");
}
