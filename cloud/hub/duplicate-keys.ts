/** A key that no manifest has. */
const PROBE = "selvedge-duplicate-key";
/** What is parsed again to look into suspicions, a second's work: a manifest with more of them is one with long texts. */
export const PROBED_BYTES_MAX = 64 * 1024 * 1024;

interface Suspicion {
  /** Index of the line that says the key first. */
  readonly first: number;
  /** Where in that line it stands, quotes included. */
  readonly start: number;
  readonly end: number;
  readonly again: number;
  readonly key: string;
}

/**
 * Finds a key that stands twice in one mapping (YAML 1.2 section 3.2.1.1 forbids it; the parser keeps the last one and
 * says nothing, so half of what somebody wrote would be lost). Indentation gives a suspicion, which text inside a string
 * does too; it is right when, under another name, the first of the two shows up in what the parser gives.
 *
 * @returns index of the second line, and the key; only keys that begin a line are seen
 */
export function findDuplicateKey(
  lines: readonly string[],
  parse: (text: string) => unknown,
): { readonly line: number; readonly key: string } | undefined {
  const sizeBytes = lines.reduce((sum, line) => sum + line.length + 1, 0);
  const most = Math.floor(PROBED_BYTES_MAX / sizeBytes);
  for (const { first, start, end, again, key } of suspicions(lines).slice(0, most)) {
    const line = lines[first] ?? "";
    const renamed = [...lines];
    renamed[first] = `${line.slice(0, start)}"${PROBE}"${line.slice(end)}`;
    try {
      if (hasKey(parse(renamed.join("\n")), PROBE)) return { line: again, key };
    } catch {
      // Inside something that cannot be renamed: no key.
    }
  }
  return undefined;
}

function suspicions(lines: readonly string[]): readonly Suspicion[] {
  const found: Suspicion[] = [];
  /** The mappings that are open, by how far their keys are indented. */
  const open: { readonly column: number; readonly keys: Map<string, Omit<Suspicion, "again" | "key">> }[] = [];
  for (const [index, line] of lines.entries()) {
    const match = /^(\s*(?:- +)*)("[^"\\]*"|'[^']*'|[^\s#"'{}[\],&*!|>%@`-][^:#]*?)\s*:(?:\s|$)/.exec(line);
    const indentation = /^\s*/.exec(line)?.[0].length ?? 0;
    if (line.trim() !== "" && !line.trimStart().startsWith("#")) {
      while ((open.at(-1)?.column ?? -1) > indentation) open.pop();
    }
    if (match === null) continue;
    const [, before = "", word = ""] = match;
    const column = before.length;
    if (open.at(-1)?.column !== column) open.push({ column, keys: new Map() });
    const keys = open.at(-1)?.keys ?? new Map();
    const key = word.replace(/^["']|["']$/g, "");
    const first = keys.get(key);
    if (first !== undefined) found.push({ ...first, again: index, key });
    else keys.set(key, { first: index, start: column, end: column + word.length });
  }
  return found;
}

/** Anchors make one value appear in many places, and a value may contain itself. */
function hasKey(value: unknown, key: string, seen = new Set<object>()): boolean {
  if (typeof value !== "object" || value === null || seen.has(value)) return false;
  seen.add(value);
  return Object.hasOwn(value, key) || Object.values(value).some((inner) => hasKey(inner, key, seen));
}
