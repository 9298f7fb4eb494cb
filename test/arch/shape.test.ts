import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { lineOf, listFiles, ROOT, readSources } from "./source-tree.ts";

/** A file that a person can hold in the head; CONTRIBUTING says about 400. */
const MAX_LINES = 450;

const SOURCES = readSources(["src", "edge", "cloud", "scripts", "test"]);
const PRODUCTION = SOURCES.filter((source) => !source.path.startsWith("test/"));

describe("shape", () => {
  test(`no file is longer than ${MAX_LINES} lines`, () => {
    const long = SOURCES.filter((s) => s.text.split("\n").length > MAX_LINES);
    expect(long.map((s) => `${s.path}: ${s.text.split("\n").length}`)).toEqual([]);
  });

  test("no file is named after nothing", () => {
    const vague = /^(?:utils?|helpers?|common|misc|shared|types|index)\.ts$/;
    expect(SOURCES.filter((s) => vague.test(basename(s.path))).map((s) => s.path)).toEqual([]);
  });

  test("file names are kebab-case", () => {
    const wrong = SOURCES.filter(
      (s) => !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|bench|d))?\.ts$/.test(basename(s.path)),
    );
    expect(wrong.map((s) => s.path)).toEqual([]);
  });

  test("there are no default exports", () => {
    expect(SOURCES.filter((s) => /^\s*export\s+default\b/m.test(s.code)).map((s) => s.path)).toEqual([]);
  });

  test("there are no barrels: no file only passes on what others export", () => {
    const barrels = PRODUCTION.filter((s) => {
      const rest = s.text
        .replace(/^export\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\})\s+from\s+"[^"]+";?$/gm, "")
        .replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "");
      return rest.trim() === "" && s.text.trim() !== "";
    });
    expect(barrels.map((s) => s.path)).toEqual([]);
  });

  test("a plan exports at least one function, and is tested", () => {
    const plans = PRODUCTION.filter((s) => /(?:^|\/|-)plan\.ts$/.test(s.path));
    const tests = new Set(SOURCES.map((s) => s.path));
    const untested = plans.filter((s) => {
      const name = s.path.replace(/\.ts$/, ".test.ts");
      return !/^export (?:async )?function/m.test(s.code) || !tests.has(`test/unit/${name}`);
    });
    expect(untested.map((s) => s.path)).toEqual([]);
  });

  test("nothing is left for later", () => {
    const marker = new RegExp(`\\b(?:${["TO", "DO"].join("")}|${["FIX", "ME"].join("")}|X{3})\\b`, "g");
    const left = listFiles(["src", "edge", "cloud", "scripts", "test", "docs"])
      .filter((path) => /\.(?:ts|md|sh|yaml|yml|json|service|toml)$/.test(path))
      .flatMap((path) => {
        const text = readFileSync(join(ROOT, path), "utf8");
        return [...text.matchAll(marker)].map((m) => `${path}:${lineOf(text, m.index)}`);
      });
    expect(left).toEqual([]);
  });
});
