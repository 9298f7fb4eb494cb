import type { DecodeError, Result } from "../../base/result.ts";
import type { ObjectKey } from "../../network/service.ts";
import { type JsonView, parseJson } from "../json-view.ts";
import type { Resource } from "../resource.ts";

/** RFC 1123 subdomain: the longest name that the API accepts. */
export const NAME_LENGTH_MAX = 253;
/** RFC 1123 label. */
export const NAMESPACE_LENGTH_MAX = 63;
/** A uid is 36 characters and a resourceVersion at most 20 digits; both are opaque, so there is room. */
export const OPAQUE_LENGTH_MAX = 128;
/** "2026-11-21T05:15:00Z" with room for fractions. */
const TIMESTAMP_LENGTH_MAX = 64;

/** Who an object is: all that is needed to delete it, even when the rest of it cannot be read. */
export interface ObjectIdentity {
  /** "namespace/name", or the name of a cluster-scoped object. */
  readonly key: ObjectKey;
  /** Empty when the server gives none. */
  readonly uid: string;
  /** Empty when the server gives none. */
  readonly resourceVersion: string;
}

/** Errors: no name, no namespace where there has to be one, or the object says that it is of another kind. */
export function parseIdentity(json: unknown, resource: Resource): Result<ObjectIdentity, DecodeError> {
  return parseJson(json, (object) => {
    const kind = object.field("kind");
    // A list's items carry no kind; where there is one, it is the item's own that counts.
    if ((kind.optionalString(NAME_LENGTH_MAX) ?? resource.kind) !== resource.kind) {
      kind.refuse(`not ${resource.kind}`);
    }
    const metadata = object.field("metadata");
    const name = readName(object);
    return {
      key: resource.namespaced ? `${readNamespace(object)}/${name}` : name,
      uid: metadata.field("uid").optionalString(OPAQUE_LENGTH_MAX) ?? "",
      resourceVersion: metadata.field("resourceVersion").optionalString(OPAQUE_LENGTH_MAX) ?? "",
    };
  });
}

export function readName(object: JsonView): string {
  const name = object.field("metadata").field("name");
  const text = name.string(NAME_LENGTH_MAX);
  // "/" would make one object's key another's.
  return /^[^/\s]+$/.test(text) ? text : name.refuse("not a name");
}

export function readNamespace(object: JsonView): string {
  const namespace = object.field("metadata").field("namespace");
  const text = namespace.string(NAMESPACE_LENGTH_MAX);
  return /^[^/\s]+$/.test(text) ? text : namespace.refuse("not a namespace");
}

export function readCreated(object: JsonView): string {
  return object.field("metadata").field("creationTimestamp").optionalString(TIMESTAMP_LENGTH_MAX) ?? "";
}

/** Empty when the server gives none. */
export function readUid(object: JsonView): string {
  return object.field("metadata").field("uid").optionalString(OPAQUE_LENGTH_MAX) ?? "";
}

/** How often the spec has changed; 0 when the server does not say. */
export function readGeneration(object: JsonView): number {
  return object.field("metadata").field("generation").optionalInteger(0, Number.MAX_SAFE_INTEGER) ?? 0;
}
