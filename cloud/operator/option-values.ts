import { type Duration, milliseconds, seconds } from "../../src/base/duration.ts";
import { type Prefix, parseIp, parsePrefix } from "../../src/base/ip.ts";
import { fail, ok, type Result } from "../../src/base/result.ts";

export interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
}

export interface OptionError {
  /** usage: the command line is not understood; config: a value in it cannot be. */
  readonly kind: "usage" | "config";
  readonly message: string;
}

/** Options by name without dashes, each with what counts unless it is given; undefined: it has to be given. */
export type OptionDefaults<Name extends string> = Readonly<Record<Name, string | undefined>>;

/** Raised by a reader and caught by {@link readOptions}. */
class Refusal extends Error {}

/**
 * Reads a command line of options, "--name value" or "--name=value"; those that are true or false need no value.
 *
 * @param command for error texts
 */
export function readOptions<Name extends string, T>(
  command: string,
  words: readonly string[],
  defaults: OptionDefaults<Name>,
  read: (values: OptionValues<Name>) => T,
): Result<T, OptionError> {
  const given = readWords(command, words, defaults);
  if (!given.ok) return given;
  try {
    return ok(read(new OptionValues(given.value, defaults)));
  } catch (error) {
    if (error instanceof Refusal) return fail({ kind: "config", message: error.message });
    throw error;
  }
}

function readWords<Name extends string>(
  command: string,
  words: readonly string[],
  defaults: OptionDefaults<Name>,
): Result<ReadonlyMap<Name, string>, OptionError> {
  const isName = (name: string): name is Name => Object.hasOwn(defaults, name);
  const given = new Map<Name, string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    const [, name = "", inline] = /^--([a-z0-9-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (!isName(name)) return fail({ kind: "usage", message: `${command} has no argument "${word}"` });
    const alone = defaults[name] === "true" || defaults[name] === "false" ? "true" : words[++i];
    const value = inline ?? alone;
    if (inline !== undefined && alone !== "true") i -= 1;
    if (value === undefined) return fail({ kind: "usage", message: `--${name} needs a value` });
    given.set(name, value);
  }
  const missing = Object.keys(defaults).find(
    (name) => isName(name) && defaults[name] === undefined && !given.has(name),
  );
  return missing === undefined ? ok(given) : fail({ kind: "usage", message: `${command} needs --${missing}` });
}

/** What options say, read as what they mean; a value that cannot be ends {@link readOptions}. */
export class OptionValues<Name extends string> {
  readonly #given: ReadonlyMap<string, string>;
  readonly #defaults: OptionDefaults<string>;

  constructor(given: ReadonlyMap<Name, string>, defaults: OptionDefaults<Name>) {
    this.#given = given;
    this.#defaults = defaults;
  }

  /** The first option that is there. */
  given(): string | undefined {
    return [...this.#given.keys()][0];
  }

  text(name: Name): string {
    return this.#given.get(name) ?? this.#defaults[name] ?? "";
  }

  list(name: Name): readonly string[] {
    return this.text(name)
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  }

  prefixes(name: Name): readonly Prefix[] {
    return this.list(name).map((part) => {
      const prefix = parsePrefix(part);
      return prefix.ok ? prefix.value : this.refuse(name, "a list of networks, such as 10.1.0.0/16", part);
    });
  }

  oneOf<T extends string>(name: Name, values: readonly T[]): T {
    const text = this.text(name);
    return values.find((value) => value === text) ?? this.refuse(name, `one of ${values.join(", ")}`, text);
  }

  yes(name: Name): boolean {
    return this.oneOf(name, ["true", "false"]) === "true";
  }

  whole(name: Name, least: number, most: number): number {
    const text = this.text(name);
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? value : this.refuse(name, `a number from ${least} to ${most}`, text);
  }

  /** RFC 1123. */
  name(name: Name): string {
    const text = this.text(name);
    return /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text) ? text : this.refuse(name, "a name", text);
  }

  /** As Go writes durations, in one unit. */
  duration(name: Name): Duration {
    const text = this.text(name);
    const [, number, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
    const units: Readonly<Record<string, Duration>> = {
      ms: milliseconds(1),
      s: seconds(1),
      m: seconds(60),
      h: seconds(3600),
    };
    const factor = units[unit ?? ""];
    return factor === undefined
      ? this.refuse(name, "a duration, such as 15s", text)
      : milliseconds(Number(number) * factor);
  }

  /** ":8081" for every address, "10.0.0.1:8081", "[::1]:8081". */
  listen(name: Name): ListenAddress {
    const text = this.text(name);
    const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
    const ip = parseIp(match?.[1] ?? (match?.[2] || "::"));
    const port = Number(match?.[3]);
    return ip.ok && port <= 65_535 ? { hostname: ip.value, port } : this.refuse(name, "an address with a port", text);
  }

  refuse(name: Name, wanted: string, value: string): never {
    throw new Refusal(`--${name} is ${wanted}: current value is ${value}`);
  }

  /** What values contradict. */
  contradict(message: string): never {
    throw new Refusal(message);
  }
}
