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
