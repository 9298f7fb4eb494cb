import type { DecodeError, Result } from "../../base/result.ts";
import { type JsonView, parseJson } from "../json-view.ts";
import { DATA_BYTES_MAX, readData } from "./config-map.ts";
import { NAME_LENGTH_MAX, readName, readNamespace } from "./metadata.ts";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A v1 Secret. */
export interface Secret {
  readonly namespace: string;
  readonly name: string;
  /** "kubernetes.io/tls" and the like. */
  readonly type: string;
  readonly data: ReadonlyMap<string, Uint8Array>;
}

export function parseSecret(json: unknown): Result<Secret, DecodeError> {
  return parseJson(json, (object) => ({
    namespace: readNamespace(object),
    name: readName(object),
    type: object.field("type").optionalString(NAME_LENGTH_MAX) ?? "Opaque",
    data: readData(object.field("data"), readSecretBytes),
  }));
}

export function readSecretBytes(value: JsonView): Uint8Array {
  // Base64 has four characters for three bytes.
  const text = value.optionalString((DATA_BYTES_MAX / 3) * 4 + 4) ?? "";
  return BASE64.test(text) ? Uint8Array.fromBase64(text) : value.refuse("not base64");
}
