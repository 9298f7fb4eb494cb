import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

export const ROOT = join(import.meta.dir, "../..");

export interface SourceFile {
  /** From the repository's root: "src/base/ip.ts". */
  readonly path: string;
  readonly text: string;
  /** Lines of code only: comments and the insides of strings are blanks, line numbers are kept. */
  readonly code: string;
}

/** Every TypeScript file below the given top folders, sorted by path. */
export function readSources(folders: readonly string[]): readonly SourceFile[] {
  return listFiles(folders)
    .filter((path) => path.endsWith(".ts"))
    .map((path) => {
      const text = readFileSync(join(ROOT, path), "utf8");
      return { path, text, code: stripText(text) };
    });
}

export function listFiles(folders: readonly string[]): readonly string[] {
  return folders
    .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
}

export function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** A slash after one of these begins a regular expression, after anything else it divides. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|=>|\breturn|\bcase|\btypeof)\s*$/;

const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`|\}|\{|\/(?![/*])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;

/**
 * Blanks comments, strings and regular expressions, so that a rule about code never trips over prose. What stands
 * inside `${}` of a template is code and stays.
 */
export function stripText(source: string): string {
  const blank = (text: string) => text.replace(/[^\n]/g, " ");
  const templates: number[] = [];
  let braces = 0;
  let out = "";
  let at = 0;
  const template = (from: number): number => {
    const end = /\\[\s\S]|\$\{|`/g;
    end.lastIndex = from;
    for (let match = end.exec(source); match !== null; match = end.exec(source)) {
      if (match[0].startsWith("\\")) continue;
      const next = match.index + match[0].length;
      if (match[0] === "${") templates.push(braces);
      out += blank(source.slice(from, next));
      return next;
    }
    return source.length;
  };
  while (at < source.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(source);
    if (match === null) break;
    const token = match[0];
    out += source.slice(at, match.index);
    at = match.index + token.length;
    if (token === "`") {
      out += " ";
      at = template(at);
    } else if (token === "{") {
      braces += 1;
      out += token;
    } else if (token === "}") {
      if (templates.at(-1) === braces) {
        templates.pop();
        out += " ";
        at = template(at);
      } else {
        braces -= 1;
        out += token;
      }
    } else if (/^\/[^/*]/.test(token) && !BEFORE_REGEX.test(out.slice(-80))) {
      out += "/";
      at = match.index + 1;
    } else {
      out += blank(token);
    }
  }
  return out + source.slice(at);
}
