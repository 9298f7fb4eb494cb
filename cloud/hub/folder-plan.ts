import { type Manifest, parseManifestFile } from "./manifests.ts";

/** A file as it was found. */
export interface FoundFile {
  readonly path: string;
  /** The error says why it could not be read. */
  readonly content: { readonly text: string } | { readonly error: string };
}

/** A file's last good state. */
export interface GoodFile {
  readonly text: string;
  readonly manifests: readonly Manifest[];
  readonly passedOver: readonly string[];
}

export interface Refusal {
  readonly path: string;
  readonly line: number;
  readonly reason: string;
}

export interface FolderState {
  /** By path. */
  readonly files: ReadonlyMap<string, GoodFile>;
  readonly refusals: readonly Refusal[];
}

export const EMPTY_FOLDER: FolderState = { files: new Map(), refusals: [] };

/**
 * What the folder says now. A file that is wrong keeps what it said when it was last right, and so does a file that
 * claims an object of another; a file that is gone takes its objects along.
 */
export function planFolder(before: FolderState, found: readonly FoundFile[]): FolderState {
  const refusals: Refusal[] = [];
  const parsed = new Map<string, GoodFile>();
  const inOrder = [...found].sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { path, content } of inOrder) {
    const last = before.files.get(path);
    const read = readFile(content, last);
    if ("line" in read) refusals.push({ path, ...read });
    const good = "line" in read ? last : read;
    if (good !== undefined) parsed.set(path, good);
  }
  // Files that did not change own their objects before those that did.
  const unchanged = [...parsed].filter(([path, file]) => before.files.get(path) === file);
  const changed = [...parsed].filter(([path, file]) => before.files.get(path) !== file);
  const owners = new Map<string, { readonly path: string; readonly line: number }>();
  const files = new Map<string, GoodFile>();
  const accept = (path: string, file: GoodFile) => {
    files.set(path, file);
    for (const { id, line } of file.manifests) owners.set(id, { path, line });
  };
  for (const [path, file] of unchanged) accept(path, file);
  for (const [path, file] of changed) {
    const double = findDouble(path, file, owners);
    if (double === undefined) {
      accept(path, file);
      continue;
    }
    refusals.push(double);
    const last = before.files.get(path);
    if (last !== undefined && findDouble(path, last, owners) === undefined) accept(path, last);
  }
  return { files, refusals };
}

function readFile(content: FoundFile["content"], last: GoodFile | undefined): GoodFile | Omit<Refusal, "path"> {
  if ("error" in content) return { line: 1, reason: content.error };
  const { text } = content;
  if (text === last?.text) return last;
  // Editors and copying programs empty a file before they fill it.
  if (text.trim() === "") return { line: 1, reason: "the file is empty: delete it to take its objects away" };
  const parsed = parseManifestFile(text);
  return parsed.ok ? { text, ...parsed.value } : parsed.error;
}

function findDouble(
  path: string,
  file: GoodFile,
  owners: ReadonlyMap<string, { readonly path: string; readonly line: number }>,
): Refusal | undefined {
  const own = new Map<string, number>();
  for (const { id, key, resource, line } of file.manifests) {
    const name = `${resource.kind} ${key}`;
    const other = owners.get(id);
    if (other !== undefined) return { path, line, reason: `${name} is already in ${other.path}:${other.line}` };
    const earlier = own.get(id);
    if (earlier !== undefined) return { path, line, reason: `${name} is already in ${path}:${earlier}` };
    own.set(id, line);
  }
  return undefined;
}

export function formatRefusal({ path, line, reason }: Refusal): string {
  return `${path}:${line}: ${reason}`;
}
