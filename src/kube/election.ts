import type { MonotonicTime } from "../base/clock.ts";
import { type Duration, seconds } from "../base/duration.ts";
import type { LeaseRecord, ObservedLease } from "./lease.ts";

/** Kubernetes' three times (client-go's leaderelection), with its conditions: each is longer than the next. */
export interface LeaseTiming {
  /** How long others leave a lease alone that they have not seen renewed. */
  readonly leaseDuration: Duration;
  /** How long a leader goes on leading without a renewal. */
  readonly renewDeadline: Duration;
  /** How often it renews, and others look. */
  readonly retryPeriod: Duration;
}

export const LEASE_TIMING: LeaseTiming = {
  leaseDuration: seconds(15),
  renewDeadline: seconds(10),
  retryPeriod: seconds(2),
};

export interface SentRecord {
  readonly record: LeaseRecord;
  readonly at: MonotonicTime;
}

/** More writes than fit before the deadline are of no use. */
const SENT_MAX = 8;

export interface ElectionState {
  readonly identity: string;
  readonly timing: LeaseTiming;
  /** The Lease as it was last seen, undefined: never, or it is not there. */
  readonly lease: ObservedLease | undefined;
  /** When this version of it was first seen here: other machines' clocks are not asked. */
  readonly seenAt: MonotonicTime | undefined;
  /**
   * Writes that may have been taken without our knowing, the latest last: the answer was lost, or it was a conflict with
   * the write itself, since HTTP clients send a request again where a connection ends before an answer.
   */
  readonly sent: readonly SentRecord[];
  /** When the write that last renewed our leadership was sent: from then on others may have counted. */
  readonly renewedAt: MonotonicTime | undefined;
}

export function newElection(identity: string, timing: LeaseTiming): ElectionState {
  const { leaseDuration, renewDeadline, retryPeriod } = timing;
  if (!(leaseDuration > renewDeadline && renewDeadline > retryPeriod && retryPeriod > 0)) {
    const text = `${leaseDuration}, ${renewDeadline}, ${retryPeriod} ms`;
    throw new Error(`Cannot elect as lease > deadline > period > 0 does not hold: current value is ${text}`);
  }
  return { identity, timing, lease: undefined, seenAt: undefined, sent: [], renewedAt: undefined };
}

/**
 * Whether it leads at this moment. It stops leading `renewDeadline` after it *sent* its last renewal that was taken;
 * nobody else takes the lease before `leaseDuration` after they *saw* that renewal, which is later: so by monotonic
 * clocks there is never more than one.
 */
export function isLeading(state: ElectionState, now: MonotonicTime): boolean {
  return state.renewedAt !== undefined && now < state.renewedAt + state.timing.renewDeadline;
}

/** When it has to stop unless it renews before; undefined while it does not lead. */
export function leadingUntil(state: ElectionState): MonotonicTime | undefined {
  return state.renewedAt === undefined ? undefined : ((state.renewedAt + state.timing.renewDeadline) as MonotonicTime);
}

/** The Lease was read. @param lease undefined: it is not there */
export function observeLease(
  state: ElectionState,
  lease: ObservedLease | undefined,
  now: MonotonicTime,
): ElectionState {
  const { identity, sent } = state;
  const unchanged = lease !== undefined && lease.resourceVersion === state.lease?.resourceVersion;
  const seen = { ...state, lease, seenAt: unchanged ? state.seenAt : now };
  if (lease?.record.holder !== identity) return { ...seen, renewedAt: undefined };
  const taken = sent.find(({ record }) => record.renewTime === lease.record.renewTime);
  return taken === undefined ? seen : { ...seen, sent: [], renewedAt: taken.at };
}

/** A write of {@link wantedRecord} goes out. */
export function sendRecord(state: ElectionState, record: LeaseRecord, now: MonotonicTime): ElectionState {
  return { ...state, sent: [...state.sent.slice(1 - SENT_MAX), { record, at: now }] };
}

/** The write that went out last was taken. */
export function confirmRecord(state: ElectionState, resourceVersion: string): ElectionState {
  const last = state.sent.at(-1);
  if (last === undefined) return state;
  const { record, at } = last;
  return { ...state, lease: { resourceVersion, record }, seenAt: at, sent: [], renewedAt: at };
}

/** It leads no longer: the deadline passed, or it gives the lease up. */
export function stepDown(state: ElectionState): ElectionState {
  return { ...state, renewedAt: undefined };
}

/** When the lease may be taken; undefined: now. It is ours, nobody's, or it was not renewed for its whole duration. */
export function takeableAt(state: ElectionState, now: MonotonicTime): MonotonicTime | undefined {
  const { lease, seenAt, identity, timing } = state;
  if (lease === undefined || seenAt === undefined) return undefined;
  if (lease.record.holder === "" || lease.record.holder === identity) return undefined;
  // The holder's own duration counts where it is longer than ours, as while a fleet is set to another one.
  const duration = Math.max(timing.leaseDuration, seconds(lease.record.durationSeconds));
  const at = (seenAt + duration) as MonotonicTime;
  return now >= at ? undefined : at;
}

/** What to write to have the lease, or to keep it. @param time the wall clock's, as metav1.MicroTime */
export function wantedRecord({ identity, timing, lease }: ElectionState, time: string): LeaseRecord {
  const before = lease?.record;
  const kept = before?.holder === identity;
  return {
    holder: identity,
    durationSeconds: Math.ceil(timing.leaseDuration / 1000),
    acquireTime: kept ? before.acquireTime : time,
    renewTime: time,
    transitions: before === undefined ? 0 : before.transitions + (kept ? 0 : 1),
  };
}

/** What a leader that ends leaves behind, so that the next one need not wait. */
export function releasedRecord(record: LeaseRecord, time: string): LeaseRecord {
  return { ...record, holder: "", durationSeconds: 1, acquireTime: time, renewTime: time };
}
