import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, readSources } from "./source-tree.ts";

const SOURCES = readSources(["src", "edge", "cloud"]);

function readDocument(path: string): string {
  const file = join(ROOT, path);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** The kernel's and SQLite's own are not ours to explain. */
const FOREIGN = /^(?:E[A-Z0-9]+|SQLITE_.*)$/;

/** Codes of errors, conditions and findings: always written as the literal `code: "NAME"`, so that this can find them. */
function codesInSources(): ReadonlyMap<string, string> {
  const codes = new Map<string, string>();
  for (const source of SOURCES) {
    for (const [, code = ""] of source.text.matchAll(/\bcode:\s*"([A-Z][A-Z0-9_]*)"/g)) {
      if (!FOREIGN.test(code)) codes.set(code, source.path);
    }
  }
  return codes;
}

/** Bounds: constants whose name says that they are one, as "NAME = value (file)". */
function boundsInSources(): readonly string[] {
  const bound = /^\s*(?:export )?const ((?:MAX_|LIMIT_)[A-Z0-9_]+|[A-Z0-9_]+_(?:MAX|LIMIT))\b[^=]*=\s*([^;]+);/gm;
  return SOURCES.flatMap(({ path, code }) =>
    [...code.matchAll(bound)].map(([, name, value = ""]) => `${name} = ${value.replace(/\s+/g, " ")} (${path})`),
  );
}

describe("documents", () => {
  test("docs/errors.md lists every code of the sources, and no other", () => {
    const rows = [...readDocument("docs/errors.md").matchAll(/^\| `([A-Z][A-Z0-9_]*)` \|/gm)].map((m) => m[1] ?? "");
    const codes = codesInSources();
    expect([...codes].filter(([code]) => !rows.includes(code)).map(([code, path]) => `${code} (${path})`)).toEqual([]);
    expect(rows.filter((row) => !codes.has(row))).toEqual([]);
    expect(rows.filter((row, i) => rows.indexOf(row) !== i)).toEqual([]);
  });

  test("every row of docs/errors.md says what to do", () => {
    const rows = readDocument("docs/errors.md")
      .split("\n")
      .filter((line) => /^\| `[A-Z]/.test(line));
    const empty = rows.filter((row) =>
      row
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .some((cell) => cell.trim() === ""),
    );
    expect(empty).toEqual([]);
  });

  test("docs/cloud.md has the chart's values with their defaults", () => {
    const chart = Bun.YAML.parse(readDocument("cloud/chart/values.yaml"));
    const valueAt = (path: string) =>
      path.split(".").reduce<unknown>((at, name) => (at as Readonly<Record<string, unknown>>)[name], chart);
    // "–" is nothing; names after the first may leave out what they share with it.
    const rows = [...readDocument("docs/cloud.md").matchAll(/^\| (`[a-z]+\.[A-Za-z0-9.`, ]+) \|([^|]*)\|/gm)];
    const wrong = rows.flatMap(([, names = "", cell = ""]) => {
      const [first = "", ...rest] = [...names.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
      const [group] = first.split(".");
      const defaults = [...cell.matchAll(/`([^`]*)`|–/g)].map(([, text]) => text);
      return [first, ...rest.map((name) => (name.includes(".") ? name : `${group}.${name}`))].flatMap((path, i) => {
        const text = defaults.length === 1 ? defaults[0] : defaults[i];
        const said = text === undefined ? [] : text.startsWith("C=") ? text : Bun.YAML.parse(text);
        const value = valueAt(path);
        const is = value === "" ? [] : value;
        return text?.includes("…") || Bun.deepEquals(said, is)
          ? []
          : [`${path}: ${text}, and is ${JSON.stringify(value)}`];
      });
    });
    expect(rows.length).toBeGreaterThan(15);
    expect(wrong).toEqual([]);
  });

  test("LIMITS.md names every bound with its value, file and reason, and no other", () => {
    const row = /^\| `([A-Z][A-Z0-9_]*)` \| `([^`]+)` \| `([^`]+)` \| [^| ][^|]* \|$/gm;
    const rows = [...readDocument("LIMITS.md").matchAll(row)].map(
      ([, name, value, path]) => `${name} = ${value} (${path})`,
    );
    const bounds = boundsInSources();
    expect(bounds.filter((bound) => !rows.includes(bound))).toEqual([]);
    expect(rows.filter((bound) => !bounds.includes(bound))).toEqual([]);
  });
});
