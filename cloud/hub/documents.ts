import { fail, ok, type Result } from "../../src/base/result.ts";
import { findDuplicateKey } from "./duplicate-keys.ts";

/** One document of a file, and the line of the file where it begins. */
export interface Document {
  readonly value: unknown;
  readonly line: number;
}

/** Where a file is wrong. */
export interface FileError {
  /** From 1. */
  readonly line: number;
  readonly reason: string;
}

/** A construct that goes over more lines than this gets the line where it begins. */
const CONSTRUCT_LINES_MAX = 64;

/** Reads a file of YAML documents, or of JSON, which is told by its first character. */
export function parseDocuments(text: string): Result<readonly Document[], FileError> {
  const documents: Document[] = [];
  for (const { lines, line } of splitDocuments(text)) {
    const parse = /^\s*[{[]/.test(lines.join("\n")) ? parseFlow : parseYaml;
    const parsed = parse(lines);
    if (!parsed.ok) return fail({ line: line + parsed.error.line - 1, reason: parsed.error.reason });
    if (parsed.value === null || parsed.value === undefined) continue;
    if (containsItself(parsed.value)) {
      return fail({ line: line + firstContentLine(lines), reason: "an alias stands inside of what it names" });
    }
    const twice = findDuplicateKey(lines, parseJsonOrFlow);
    if (twice !== undefined) {
      return fail({ line: line + twice.line, reason: `the key "${twice.key}" stands twice in one mapping` });
    }
    documents.push({ value: parsed.value, line: line + firstContentLine(lines) });
  }
  return ok(documents);
}

/** YAML 1.2 section 9.1: "---" at the beginning of a line, alone or before a blank, begins a document everywhere. */
function splitDocuments(text: string): readonly { readonly lines: readonly string[]; readonly line: number }[] {
  const documents: { lines: string[]; line: number }[] = [{ lines: [], line: 1 }];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (/^---(\s|$)/.test(line)) documents.push({ lines: [`   ${line.slice(3)}`], line: i + 1 });
    else documents.at(-1)?.lines.push(line);
  }
  return documents;
}

/** YAML may say so, and JSON, as which it is served, has no end then. */
function containsItself(value: unknown, around = new Set<object>(), seen = new Set<object>()): boolean {
  if (typeof value !== "object" || value === null || seen.has(value)) return false;
  if (around.has(value)) return true;
  around.add(value);
  const found = Object.values(value).some((inner) => containsItself(inner, around, seen));
  around.delete(value);
  seen.add(value);
  return found;
}

function firstContentLine(lines: readonly string[]): number {
  return Math.max(
    0,
    lines.findIndex((line) => !/^\s*(#|$)/.test(line)),
  );
}

function parseYaml(lines: readonly string[]): Result<unknown, FileError> {
  return parseLines(lines, (part) => Bun.YAML.parse(part.join("\n")));
}

/** JSON, whole; a beginning of it is tried with its brackets closed. */
function parseFlow(lines: readonly string[]): Result<unknown, FileError> {
  return parseLines(lines, (part) => {
    const text = part.join("\n");
    return part.length === lines.length ? parseJsonOrFlow(text) : JSON.parse(closeBrackets(text));
  });
}

/** YAML's flow style looks like JSON and is not; what is neither is most likely JSON with a mistake. */
function parseJsonOrFlow(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    try {
      return Bun.YAML.parse(text);
    } catch {
      throw error;
    }
  }
}

/** The parser does not say where it stopped, so the longest beginning that it takes tells the line. */
function parseLines(
  lines: readonly string[],
  parse: (lines: readonly string[]) => unknown,
): Result<unknown, FileError> {
  let reason: string;
  try {
    return ok(parse(lines));
  } catch (error) {
    reason = (error instanceof Error ? error.message : String(error)).replace(/^(YAML|JSON) Parse error: /, "");
  }
  const fits = (count: number) => {
    const most = Math.min(lines.length - 1, count + CONSTRUCT_LINES_MAX);
    for (let n = count; n <= most; n++) if (succeeds(() => parse(lines.slice(0, n)))) return true;
    return false;
  };
  let [good, bad] = [0, lines.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (fits(middle)) good = middle;
    else bad = middle;
  }
  return fail({ line: Math.min(good + 1, lines.length), reason });
}

function succeeds(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

function closeBrackets(text: string): string {
  const open: string[] = [];
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (inString) {
      if (char === "\\") i += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "{") open.push("}");
    else if (char === "[") open.push("]");
    else if (char === "}" || char === "]") open.pop();
  }
  const trimmed = text.trimEnd().replace(/,$/, "").replace(/:$/, ": null");
  return trimmed + open.reverse().join("");
}
