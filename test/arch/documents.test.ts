import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, readSources } from "./source-tree.ts";

const SOURCES = readSources(["src", "edge", "cloud"]);

function readDocument(path: string): string {
  const file = join(ROOT, path);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** errno names are the kernel's, not ours. */
const ERRNO = /^E[A-Z0-9]+$/;

/** Codes of errors, conditions and findings: always written as the literal `code: "NAME"`, so that this can find them. */
function codesInSources(): ReadonlyMap<string, string> {
  const codes = new Map<string, string>();
  for (const source of SOURCES) {
    for (const [, code = ""] of source.text.matchAll(/\bcode:\s*"([A-Z][A-Z0-9_]*)"/g)) {
      if (!ERRNO.test(code)) codes.set(code, source.path);
    }
  }
  return codes;
}

/** Bounds: constants whose name says that they are one. */
function boundsInSources(): readonly { readonly name: string; readonly path: string }[] {
  return SOURCES.flatMap((source) =>
    [...source.code.matchAll(/^\s*(?:export )?const ((?:MAX_|LIMIT_)[A-Z0-9_]+|[A-Z0-9_]+_(?:MAX|LIMIT))\b/gm)].map(
      (m) => ({
        name: m[1] ?? "",
        path: source.path,
      }),
    ),
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

  test("LIMITS.md names every bound, and no other", () => {
    const rows = [...readDocument("LIMITS.md").matchAll(/^\| `([A-Z][A-Z0-9_]*)` \|/gm)].map((m) => m[1] ?? "");
    const bounds = boundsInSources();
    expect(bounds.filter((b) => !rows.includes(b.name)).map((b) => `${b.name} (${b.path})`)).toEqual([]);
    expect(rows.filter((row) => !bounds.some((b) => b.name === row))).toEqual([]);
  });
});
