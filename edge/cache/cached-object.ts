import { type DecodeError, fail, ok } from "../../src/base/result.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { KINDS } from "../../src/kube/objects/kinds.ts";
import { isNestedDeeper, trimObject } from "../../src/kube/objects/trim.ts";
import type { ObjectKind, ObjectValues } from "../../src/network/object-change.ts";
import type { Digested } from "./plan.ts";

/** An object as the cache carries it from the source to the disk and to the model. */
export interface CachedObject<K extends ObjectKind> extends Digested {
  /** The trimmed object as JSON: what goes to disk. */
  readonly body: string;
  readonly value: ObjectValues[K];
}

/** What we read of an object nests seven deep; JSON.stringify would run out of stack at some ten thousand. */
const OBJECT_DEPTH_MAX = 32;

/** What is wrong with a value beyond its form: such an object is passed over, and the last good one stays. */
export type Judge<K extends ObjectKind> = (value: ObjectValues[K]) => DecodeError | undefined;

/** Trims before it parses, so that what comes back from disk parses to the same. */
export function cachedObjectDecoder<K extends ObjectKind>(
  kind: K,
  digest: (text: string) => string,
  judge: Judge<K> = () => undefined,
): ObjectDecoder<CachedObject<K>> {
  const { resource, fields, parse } = KINDS[kind];
  return {
    resource,
    decode: (json) => {
      const trimmed = trimObject(json, fields);
      const value = parse(trimmed);
      if (!value.ok || value.value === undefined) return value.ok ? ok(undefined) : value;
      if (isNestedDeeper(trimmed, OBJECT_DEPTH_MAX))
        return fail({ at: "", why: `nested more than ${OBJECT_DEPTH_MAX} deep` });
      const trouble = judge(value.value);
      if (trouble !== undefined) return fail(trouble);
      const body = JSON.stringify(trimmed);
      return ok({ body, digest: digest(body), value: value.value });
    },
    sizeBytes: ({ body }) => body.length,
  };
}
