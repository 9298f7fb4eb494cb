import type { DecodeError, Result } from "../../base/result.ts";
import { type JsonView, parseJson } from "../json-view.ts";
import { readName, readNamespace } from "./metadata.ts";

/** What all data of a ConfigMap or Secret may have together (Kubernetes' validation). */
export const DATA_BYTES_MAX = 1024 * 1024;
/** Files of a component: four are the most that ours have. */
const DATA_ENTRIES_MAX = 256;

/** A v1 ConfigMap without its binaryData, which nothing here has. */
export interface ConfigMap {
  readonly namespace: string;
  readonly name: string;
  readonly data: ReadonlyMap<string, string>;
}

export function parseConfigMap(json: unknown): Result<ConfigMap, DecodeError> {
  return parseJson(json, (object) => ({
    namespace: readNamespace(object),
    name: readName(object),
    data: readData(object.field("data"), (value) => value.optionalString(DATA_BYTES_MAX) ?? ""),
  }));
}

export function readData<T>(data: JsonView, read: (value: JsonView) => T): ReadonlyMap<string, T> {
  const entries = data.entries();
  if (entries.length > DATA_ENTRIES_MAX) data.refuse(`more than ${DATA_ENTRIES_MAX} entries: ${entries.length}`);
  return new Map(entries.map(([name, value]) => [name, read(value)]));
}
