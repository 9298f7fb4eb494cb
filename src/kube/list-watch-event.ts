import type { SelvedgeError } from "../base/errors.ts";
import type { ObjectKey } from "../network/service.ts";
import type { ObjectIdentity } from "./objects/metadata.ts";

/** An object as the source showed it. */
export interface Observed<T> extends ObjectIdentity {
  /** undefined: valid, and of no use to us. */
  readonly value: T | undefined;
}

/** An object, or a line, that was passed over. */
export interface Rejected {
  /** undefined when not even its name could be read. */
  readonly key: ObjectKey | undefined;
  /** The path inside the object. */
  readonly at: string;
  readonly why: string;
}

/**
 * live: it happened now. replay: the source says that it has it stored, which metaServer also says of objects that were
 * deleted while the node was offline.
 */
export type Origin = "live" | "replay";

export type ListWatchEvent<T> =
  | {
      readonly type: "list";
      /** The cloud's word: what is neither in `items` nor in `rejected` does not exist. */
      readonly authoritative: boolean;
      readonly resourceVersion: string | undefined;
      readonly items: readonly Observed<T>[];
      readonly rejected: readonly Rejected[];
    }
  | { readonly type: "upsert"; readonly object: Observed<T>; readonly origin: Origin }
  | { readonly type: "delete"; readonly object: ObjectIdentity }
  | { readonly type: "rejected"; readonly rejected: Rejected }
  /** Whether the cloud answers; the error says why not. */
  | { readonly type: "state"; readonly connected: true; readonly error: undefined }
  | { readonly type: "state"; readonly connected: false; readonly error: SelvedgeError };
