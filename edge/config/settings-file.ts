import { errorText } from "../../src/base/errors.ts";
import type { Finding } from "./consistency.ts";
import { optionKeyOfName, optionOf } from "./options.ts";

export interface SettingsFile {
  readonly path: string;
  readonly text: string;
}

export interface SettingsRead {
  /** Values as a flag would have them. */
  readonly settings: ReadonlyMap<string, string>;
  readonly findings: readonly Finding[];
}

/** The file is one YAML mapping from names of settings to a text, number, boolean, or sequence of those. */
export function parseSettingsFile(file: SettingsFile): SettingsRead {
  const settings = new Map<string, string>();
  const findings: Finding[] = [];
  const refuse = (message: string) => findings.push({ kind: "config", message });
  let document: unknown;
  try {
    document = Bun.YAML.parse(file.text);
  } catch (error) {
    refuse(`Cannot read ${file.path} as YAML: ${errorText(error)}.`);
    return { settings, findings };
  }
  if (document === null || document === undefined) return { settings, findings };
  if (typeof document !== "object" || Array.isArray(document)) {
    refuse(`Cannot read ${file.path} as settings: it has to be a mapping from names to values.`);
    return { settings, findings };
  }
  for (const [name, value] of Object.entries(document)) {
    if (value === null) continue;
    const text = settingText(name, value);
    if (text === undefined) {
      refuse(`Cannot use "${name}" of ${file.path} as it is neither a text in quotes nor a plain value of its kind.`);
    } else {
      settings.set(name, text);
    }
  }
  return { settings, findings };
}

function settingText(name: string, value: unknown): string | undefined {
  const key = optionKeyOfName(name);
  // Somebody else's setting: the warning needs only its name.
  if (key === undefined) return "";
  const option = optionOf(key);
  switch (typeof value) {
    case "string":
      return value;
    case "boolean":
      return option.type.switch ? String(value) : undefined;
    case "number": {
      const text = String(value);
      return option.type.number || Object.hasOwn(option.oldValues ?? {}, text) ? text : undefined;
    }
    default:
      return option.type.list && Array.isArray(value) && value.every((item) => typeof item === "string")
        ? value.join(",")
        : undefined;
  }
}
