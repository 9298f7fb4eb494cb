import type { DecodeError, Result } from "../base/result.ts";
import { type JsonView, parseJson } from "./json-view.ts";
import { OPAQUE_LENGTH_MAX } from "./objects/metadata.ts";

/** coordination.k8s.io/v1 LeaseSpec. Its times are wall times: for people, and never compared. */
export interface LeaseRecord {
  /** Empty: released. */
  readonly holder: string;
  readonly durationSeconds: number;
  readonly acquireTime: string;
  readonly renewTime: string;
  readonly transitions: number;
}

/** A Lease as it was read. */
export interface ObservedLease {
  readonly resourceVersion: string;
  readonly record: LeaseRecord;
}

/** The API's own bound for an annotation-less identity is an object's size; host name and uid are some hundred. */
const HOLDER_LENGTH_MAX = 1024;
const TIME_LENGTH_MAX = 64;
const SECONDS_MAX = 2 ** 31 - 1;

export function parseLease(json: unknown): Result<ObservedLease, DecodeError> {
  return parseJson(json, (object: JsonView) => {
    const spec = object.field("spec");
    return {
      resourceVersion: object.field("metadata").field("resourceVersion").string(OPAQUE_LENGTH_MAX),
      record: {
        holder: spec.field("holderIdentity").optionalString(HOLDER_LENGTH_MAX) ?? "",
        durationSeconds: spec.field("leaseDurationSeconds").optionalInteger(0, SECONDS_MAX) ?? 0,
        acquireTime: spec.field("acquireTime").optionalString(TIME_LENGTH_MAX) ?? "",
        renewTime: spec.field("renewTime").optionalString(TIME_LENGTH_MAX) ?? "",
        transitions: spec.field("leaseTransitions").optionalInteger(0, SECONDS_MAX) ?? 0,
      },
    };
  });
}

export function formatLeaseSpec(record: LeaseRecord): object {
  return {
    holderIdentity: record.holder,
    leaseDurationSeconds: record.durationSeconds,
    acquireTime: record.acquireTime,
    renewTime: record.renewTime,
    leaseTransitions: record.transitions,
  };
}

/** metav1.MicroTime, which wants exactly six places. @param wall milliseconds since 1970 */
export function formatMicroTime(wall: number): string {
  return new Date(wall).toISOString().replace(/\.(\d{3})Z$/, ".$1000Z");
}
