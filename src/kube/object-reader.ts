import type { DecodeError, Result } from "../base/result.ts";
import type { Observed, Rejected } from "./list-watch-event.ts";
import { parseIdentity } from "./objects/metadata.ts";
import { type Piece, parseOversizedHead } from "./piece.ts";
import type { Resource } from "./resource.ts";

/** Turns an object of one resource into what its watcher wants; undefined means "valid, and not for us". */
export interface ObjectDecoder<T> {
  readonly resource: Resource;
  readonly decode: (json: unknown) => Result<T | undefined, DecodeError>;
  /** What a value keeps in memory, roughly, for the bound of a list; without it only items are counted. */
  readonly sizeBytes?: (value: T) => number;
}

export type ReadObject<T> =
  | { readonly ok: true; readonly object: Observed<T> }
  | { readonly ok: false; readonly rejected: Rejected };

/** Reads one object; one that cannot be read is named as far as possible. */
export function readObject<T>(json: unknown, decoder: ObjectDecoder<T>): ReadObject<T> {
  const identity = parseIdentity(json, decoder.resource);
  if (!identity.ok) return reject(undefined, String(identity.error.at), identity.error.why);
  const value = decoder.decode(json);
  if (!value.ok) return reject(identity.value.key, String(value.error.at), value.error.why);
  return { ok: true, object: { ...identity.value, value: value.value } };
}

/** Reads one item of a list. */
export function readItem<T>(item: Piece, decoder: ObjectDecoder<T>): ReadObject<T> {
  if (item.oversized) return reject(oversizedKey(item, decoder.resource), "", oversizedText(item));
  const json = parseJsonText(item.text);
  return json === undefined ? reject(undefined, "", "not JSON") : readObject(json, decoder);
}

export function oversizedKey(piece: Piece, resource: Resource): string | undefined {
  const { namespace, name } = parseOversizedHead(piece.text);
  if (name === undefined) return undefined;
  if (!resource.namespaced) return name;
  return namespace === undefined ? undefined : `${namespace}/${name}`;
}

export function oversizedText(piece: Piece): string {
  return `too large: ${piece.sizeBytes} bytes`;
}

export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reject(key: string | undefined, at: string, why: string): { readonly ok: false; readonly rejected: Rejected } {
  return { ok: false, rejected: { key, at, why } };
}
