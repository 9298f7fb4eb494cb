import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { listFiles, ROOT, readSources } from "./source-tree.ts";

const FUZZING = readSources(["test/fuzz"]);
const TARGETS = FUZZING.filter((source) => source.path.startsWith("test/fuzz/targets/"));

/** Functions that take bytes or text apart, and classes that do it piece by piece, by their names (CONTRIBUTING.md). */
const DECODER = /^export (?:async )?(?:function|class) ((?:decode|parse)[A-Z]\w*|\w+(?:Reader|Splitter|Stream))\b/gm;

/** What takes its bytes and its meaning from another decoder. */
const WITHIN_OTHERS: ReadonlySet<string> = new Set(["parseJson"]);

describe("decoders", () => {
  test("every one is put to the test by a fuzz target", () => {
    const used = new Set(FUZZING.flatMap(({ code }) => code.match(/\b\w+\b/g) ?? []));
    const untested = readSources(["src", "edge", "cloud"]).flatMap(({ path, code }) =>
      [...code.matchAll(DECODER)].flatMap(([, name = ""]) =>
        used.has(name) || WITHIN_OTHERS.has(name) ? [] : [`${name} (${path})`],
      ),
    );
    expect(untested).toEqual([]);
  });

  test("every fuzz target has seeds, and every seed a target", () => {
    const names = TARGETS.map(({ path }) => path.replace(/^test\/fuzz\/targets\/(.*)\.ts$/, "$1"));
    expect(names.filter((name) => !existsSync(join(ROOT, "test/fuzz/corpus", name)))).toEqual([]);
    const folders = new Set(listFiles(["test/fuzz/corpus"]).map((path) => path.split("/")[3] ?? ""));
    expect([...folders].filter((folder) => !names.includes(folder))).toEqual([]);
  });
});
