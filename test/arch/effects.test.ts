import { describe, expect, test } from "bun:test";
import { ADAPTERS } from "./adapters.ts";
import { EFFECT_PLACES, EFFECTS, RUNTIME_MODULE } from "./effect-rules.ts";
import { lineOf, readSources, type SourceFile, stripText } from "./source-tree.ts";

const SOURCES = readSources(["src", "edge", "cloud"]);
const PLAN = /(?:^|\/|-)plan\.ts$/;

interface Found {
  readonly line: number;
  readonly name: string;
  readonly why: string;
}

function effectsOf(source: SourceFile): readonly Found[] {
  const modules = [...source.text.matchAll(/\bfrom\s*"([^"]+)"|\bimport\(?\s*"([^"]+)"/g)]
    .filter((m) => RUNTIME_MODULE.test(m[1] ?? m[2] ?? ""))
    .map((m) => ({ line: lineOf(source.text, m.index), name: m[1] ?? m[2] ?? "", why: "it is an effect by itself" }));
  const calls = EFFECTS.flatMap((effect) =>
    [...source.code.matchAll(effect.pattern)].map((m) => ({
      line: lineOf(source.code, m.index),
      name: effect.name,
      why: effect.why,
    })),
  );
  return [...modules, ...calls];
}

function mayTouchTheWorld(path: string): boolean {
  if (PLAN.test(path)) return false;
  if (ADAPTERS.some((adapter) => adapter.file === path)) return true;
  return EFFECT_PLACES.some((place) => (place.at.endsWith("/") ? path.startsWith(place.at) : path === place.at));
}

describe("effects", () => {
  test("only adapters touch the runtime, clocks, randomness, the process or the network", () => {
    const wrong = SOURCES.filter((source) => !mayTouchTheWorld(source.path)).flatMap((source) =>
      effectsOf(source).map((found) => `${source.path}:${found.line} touches ${found.name}: ${found.why}`),
    );
    expect(wrong).toEqual([]);
  });

  test("every adapter of the list is there, touches something, and says what", () => {
    const stale = ADAPTERS.filter((adapter) => {
      const source = SOURCES.find((s) => s.path === adapter.file);
      return (
        source === undefined || effectsOf(source).length === 0 || adapter.touches === "" || PLAN.test(adapter.file)
      );
    });
    expect(stale.map((adapter) => adapter.file)).toEqual([]);
  });

  test("an adapter is listed once", () => {
    const files = ADAPTERS.map((adapter) => adapter.file);
    expect(files.filter((file, i) => files.indexOf(file) !== i)).toEqual([]);
  });

  test("the rule sees effects in code and not in prose", () => {
    const seen = (code: string) => effectsOf({ path: "x.ts", text: code, code: stripText(code) }).map((f) => f.name);
    expect(seen("const t = Date.now();")).toEqual(["wall clock"]);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the code under judgement is text here
    expect(seen("const t = `at ${Date.now()} ms`;")).toEqual(["wall clock"]);
    expect(seen("// Date.now() is not called\nconst x = 'process.env';")).toEqual([]);
    expect(seen('const r = /Bun.serve|"/; const s = process.pid;')).toEqual(["process"]);
    expect(seen('import type { Socket } from "node:net";')).toEqual(["node:net"]);
    expect(seen("Bun.YAML.parse(text); clock.setTimeout(1); client.fetch(x);")).toEqual([]);
    expect(seen("Bun.serve({}); setTimeout(f, 1); fetch(x);")).toEqual(["Bun", "timer", "fetch"]);
  });
});
