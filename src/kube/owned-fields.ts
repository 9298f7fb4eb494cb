import type { Manifest } from "./manifest.ts";

/** FieldsV1 of deeper objects than any schema of Kubernetes has are taken as a whole. */
const OWNED_DEPTH_MAX = 32;

type Json = Readonly<Record<string, unknown>>;

/**
 * The part of an object that one manager applied, as metadata.managedFields tells (structured-merge-diff's FieldsV1).
 * What others added is left out, and so is what others took over or removed: so it is no longer what was applied.
 *
 * @param subresource "status", or undefined for the object itself
 * @returns undefined when that manager applied nothing of it
 */
export function ownedPart(object: unknown, manager: string, subresource?: string): unknown {
  if (!isJson(object) || !isJson(object["metadata"])) return undefined;
  const entries = object["metadata"]["managedFields"];
  if (!Array.isArray(entries)) return undefined;
  const entry = entries.find(
    (e) =>
      isJson(e) &&
      e["manager"] === manager &&
      e["operation"] === "Apply" &&
      (e["subresource"] || undefined) === subresource,
  );
  return isJson(entry?.["fieldsV1"]) ? select(object, entry["fieldsV1"], 0) : undefined;
}

/** What of a manifest comes back as {@link ownedPart} once it has been applied: everything but the object's name. */
export function appliedPart(manifest: Manifest): unknown {
  const { apiVersion: _version, kind: _kind, metadata, ...content } = manifest;
  const { name: _name, namespace: _namespace, ...rest } = metadata;
  return { ...content, metadata: rest };
}

/**
 * One text for everything that says the same: keys in order, and nothing that is empty, since the server drops some
 * empty things and keeps others.
 */
export function canonicalText(value: unknown): string {
  return JSON.stringify(canonical(value) ?? null);
}

/** SHA-256 of {@link canonicalText}. What it is of (perhaps keys) need not stay in memory to be compared. */
export function contentDigest(value: unknown): string {
  return new Bun.CryptoHasher("sha256").update(canonicalText(value)).digest("base64");
}

function select(value: unknown, fields: Json, depth: number): unknown {
  const names = Object.keys(fields).filter((name) => name !== ".");
  if (depth >= OWNED_DEPTH_MAX) return value;
  // {} owns the value whole; {".": {}} owns that it is there.
  if (names.length === 0) return "." in fields ? (Array.isArray(value) ? [] : {}) : value;
  const inner = (name: string) => (isJson(fields[name]) ? fields[name] : {});
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown, i) => {
      const name = names.find((n) => selects(n, item, i));
      return name === undefined ? [] : [select(item, inner(name), depth + 1)];
    });
  }
  if (!isJson(value)) return undefined;
  const kept: Record<string, unknown> = {};
  for (const name of names) {
    if (!name.startsWith("f:")) continue;
    const field = name.slice(2);
    if (Object.hasOwn(value, field)) kept[field] = select(value[field], inner(name), depth + 1);
  }
  return kept;
}

/** @param name `k:{…}` for an item with these keys, `v:…` for this value, `i:…` for the item at this place */
function selects(name: string, item: unknown, index: number): boolean {
  const text = name.slice(2);
  if (name.startsWith("i:")) return Number(text) === index;
  const wanted = parseOrUndefined(text);
  if (name.startsWith("v:")) return Bun.deepEquals(wanted, item);
  if (!name.startsWith("k:") || !isJson(wanted) || !isJson(item)) return false;
  return Object.entries(wanted).every(([key, value]) => Bun.deepEquals(item[key], value));
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => canonical(item) ?? null);
  // 1e999 is JSON, and infinite here, for which JSON has no word.
  if (value === null || (typeof value === "number" && !Number.isFinite(value))) return undefined;
  if (!isJson(value)) return value;
  const entries = Object.entries(value)
    .map(([key, inner]) => [key, canonical(inner)] as const)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
