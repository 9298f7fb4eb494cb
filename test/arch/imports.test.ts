import { describe, expect, test } from "bun:test";
import { posix } from "node:path";
import { RUNTIME_MODULE } from "./effect-rules.ts";
import { ENTRIES, LAYERS, type Layer, PACKAGES } from "./import-rules.ts";
import { readSources, type SourceFile } from "./source-tree.ts";

const SOURCES = readSources(["src", "edge", "cloud", "scripts", "test"]);

/** `import type` counts as well: a type from a higher layer is knowledge of it. */
function importsOf(source: SourceFile): readonly string[] {
  const statements = source.text.matchAll(
    /^\s*(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']|^\s*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm,
  );
  return [...statements]
    .filter((m) => source.code[m.index + m[0].search(/\S/)] !== " ")
    .map((m) => m[1] ?? m[2] ?? m[3] ?? "");
}

function layerOf(path: string): Layer | undefined {
  const matches = LAYERS.filter((layer) => (layer.of.endsWith("/") ? path.startsWith(layer.of) : path === layer.of));
  return matches.sort((a, b) => b.of.length - a.of.length)[0];
}

function within(path: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith("/") ? path.startsWith(place) : path === place));
}

function violations(judge: (source: SourceFile, specifier: string) => string | undefined): readonly string[] {
  return SOURCES.flatMap((source) =>
    importsOf(source).flatMap((specifier) => {
      const why = judge(source, specifier);
      return why === undefined ? [] : [`${source.path} imports ${specifier}: ${why}`];
    }),
  );
}

describe("imports", () => {
  test("every source file belongs to a layer", () => {
    expect(SOURCES.filter((s) => layerOf(s.path) === undefined).map((s) => s.path)).toEqual([]);
  });

  test("imports go one way", () => {
    const wrong = violations((source, specifier) => {
      if (!specifier.startsWith(".")) return undefined;
      const target = posix.join(posix.dirname(source.path), specifier);
      const layer = layerOf(source.path);
      if (layer === undefined || within(target, [layer.of, ...layer.may])) return undefined;
      return layer.why;
    });
    expect(wrong).toEqual([]);
  });

  test("nothing imports an entry", () => {
    const wrong = violations((source, specifier) => {
      if (source.path.startsWith("test/")) return undefined;
      return ENTRIES.includes(posix.join(posix.dirname(source.path), specifier)) ? "importing it starts it" : undefined;
    });
    expect(wrong).toEqual([]);
  });

  test("imports name the file, with its extension", () => {
    const wrong = violations((_, specifier) =>
      specifier.startsWith(".") && !/\.(?:ts|json|html|css|yaml)$/.test(specifier) ? "write the extension" : undefined,
    );
    expect(wrong).toEqual([]);
  });

  test("a package is used only where its row says", () => {
    const wrong = violations((source, specifier) => {
      if (specifier.startsWith(".") || RUNTIME_MODULE.test(specifier)) return undefined;
      const rule = PACKAGES.find((p) => specifier === p.name || specifier.startsWith(`${p.name}/`));
      if (rule === undefined) return "it has no row in PACKAGES";
      return within(source.path, rule.in) ? undefined : `it is for ${rule.why} in ${rule.in.join(", ")}`;
    });
    expect(wrong).toEqual([]);
  });
});
