import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { milliseconds, seconds } from "../../../../src/base/duration.ts";
import {
  confirmRecord,
  type ElectionState,
  isLeading,
  LEASE_TIMING,
  leadingUntil,
  newElection,
  observeLease,
  releasedRecord,
  sendRecord,
  stepDown,
  takeableAt,
  wantedRecord,
} from "../../../../src/kube/election.ts";
import type { LeaseRecord, ObservedLease } from "../../../../src/kube/lease.ts";

const at = (ms: number) => ms as MonotonicTime;
const fresh = newElection("a", LEASE_TIMING);

function record(holder: string, over: Partial<LeaseRecord> = {}): LeaseRecord {
  return { holder, durationSeconds: 15, acquireTime: "t0", renewTime: "t0", transitions: 0, ...over };
}

function lease(resourceVersion: string, holder: string, over: Partial<LeaseRecord> = {}): ObservedLease {
  return { resourceVersion, record: record(holder, over) };
}

function renewed(state: ElectionState, ms: number): ElectionState {
  return confirmRecord(sendRecord(state, wantedRecord(state, `t${ms}`), at(ms)), `v${ms}`);
}

describe("an election", () => {
  test("takes a Lease that is not there, or that nobody holds, at once", () => {
    expect(takeableAt(observeLease(fresh, undefined, at(0)), at(0))).toBeUndefined();
    expect(takeableAt(observeLease(fresh, lease("1", ""), at(0)), at(0))).toBeUndefined();
  });

  test("leaves another's alone until it was not renewed for its whole duration, as seen from here", () => {
    const first = observeLease(fresh, lease("1", "b"), at(1000));
    expect(takeableAt(first, at(1000))).toBe(at(16_000));
    const same = observeLease(first, lease("1", "b"), at(9000));
    expect(takeableAt(same, at(15_999))).toBe(at(16_000));
    expect(takeableAt(same, at(16_000))).toBeUndefined();
    expect(takeableAt(observeLease(same, lease("2", "b"), at(15_000)), at(16_000))).toBe(at(30_000));
  });

  test("believes the holder's own duration where it is the longer one", () => {
    const seen = observeLease(fresh, lease("1", "b", { durationSeconds: 60 }), at(0));
    expect(takeableAt(seen, at(20_000))).toBe(at(60_000));
    expect(takeableAt(observeLease(fresh, lease("1", "b", { durationSeconds: 1 }), at(0)), at(0))).toBe(at(15_000));
  });

  test("does not look at the times of a Lease, which are of other machines' clocks", () => {
    const ancient = lease("1", "b", { renewTime: "1970-01-01T00:00:00.000000Z" });
    expect(takeableAt(observeLease(fresh, ancient, at(0)), at(0))).toBe(at(15_000));
  });

  test("leads from when the renewal was sent, for the renewal deadline and not the lease's duration", () => {
    const sent = sendRecord(fresh, wantedRecord(fresh, "t"), at(1000));
    expect(isLeading(sent, at(1000))).toBeFalse();
    const state = confirmRecord(sent, "1");
    expect(leadingUntil(state)).toBe(at(11_000));
    expect(isLeading(state, at(10_999))).toBeTrue();
    expect(isLeading(state, at(11_000))).toBeFalse();
  });

  test("stops at once when it sees that another holds the Lease, or that it is gone", () => {
    const leader = renewed(fresh, 0);
    expect(isLeading(observeLease(leader, lease("2", "b"), at(1)), at(1))).toBeFalse();
    expect(isLeading(observeLease(leader, undefined, at(1)), at(1))).toBeFalse();
    expect(isLeading(stepDown(leader), at(1))).toBeFalse();
  });

  test("counts a renewal whose answer was lost from when it was sent, once it reads it", () => {
    const leader = renewed(fresh, 0);
    const lost = sendRecord(leader, wantedRecord(leader, "lost"), at(2000));
    const refused = sendRecord(lost, wantedRecord(lost, "refused"), at(4000));
    const seen = observeLease(refused, lease("9", "a", { renewTime: "lost" }), at(4500));
    expect(leadingUntil(seen)).toBe(at(12_000));
    const old = observeLease(refused, lease("9", "a", { renewTime: "unheard of" }), at(4500));
    expect(leadingUntil(old)).toBe(at(10_000));
  });

  test("counts changes of the holder, and keeps the time when it began", () => {
    const taken = wantedRecord(observeLease(fresh, lease("1", "b", { transitions: 4 }), at(0)), "t1");
    expect(taken).toEqual(record("a", { acquireTime: "t1", renewTime: "t1", transitions: 5 }));
    const kept = wantedRecord(observeLease(fresh, { resourceVersion: "2", record: taken }, at(0)), "t2");
    expect(kept).toEqual(record("a", { acquireTime: "t1", renewTime: "t2", transitions: 5 }));
    expect(releasedRecord(kept, "t3")).toMatchObject({ holder: "", durationSeconds: 1, transitions: 5 });
  });

  test("refuses times that exclude nobody", () => {
    for (const timing of [
      { ...LEASE_TIMING, renewDeadline: seconds(15) },
      { ...LEASE_TIMING, retryPeriod: seconds(10) },
      { ...LEASE_TIMING, retryPeriod: milliseconds(0) },
    ]) {
      expect(() => newElection("a", timing)).toThrow("Cannot elect");
    }
  });
});

/**
 * A Lease on a server, and machines that reach it over a wire: each request takes its time to get there and back, may get
 * lost on either way, and each machine's monotonic clock began at another moment.
 */
describe("any number of candidates", () => {
  interface Machine {
    state: ElectionState;
    readonly offset: number;
    busyUntil: number;
    /** Nothing of it gets through. */
    cut: boolean;
  }
  const delay = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 200 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 4000 }) },
  );
  const delays = fc.record({
    there: delay,
    back: delay,
    lost: fc.constantFrom("no", "no", "no", "request", "answer"),
    restart: fc.integer({ min: 0, max: 40 }).map((n) => n === 0),
    toggle: fc.integer({ min: 0, max: 12 }).map((n) => n === 0),
  });

  test("never lead two at a time, whatever the wire does", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1e6 }), { minLength: 2, maxLength: 4 }),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 1500 }), fc.nat(3), delays), { minLength: 50, maxLength: 200 }),
        (offsets, steps) => {
          let server: ObservedLease | undefined;
          let version = 0;
          let now = 0;
          let stamp = 0;
          let arrivals: { readonly time: number; readonly run: () => void }[] = [];
          const machines: Machine[] = offsets.map((offset, i) => ({
            state: newElection(`m${i}`, LEASE_TIMING),
            offset,
            busyUntil: 0,
            cut: false,
          }));
          const local = (machine: Machine) => at(now + machine.offset);
          const check = () => {
            const leaders = machines.filter((machine) => isLeading(machine.state, local(machine)));
            expect(leaders.length).toBeLessThanOrEqual(1);
          };
          const runUntil = (end: number) => {
            for (;;) {
              const next = arrivals.filter(({ time }) => time <= end).sort((a, b) => a.time - b.time)[0];
              if (next === undefined) break;
              arrivals = arrivals.filter((arrival) => arrival !== next);
              now = next.time;
              next.run();
              check();
            }
            now = end;
            check();
          };
          const later = (delay: number, run: () => void) => arrivals.push({ time: now + delay, run });
          for (const [pause, who, wire] of steps) {
            runUntil(now + pause);
            const machine = machines[who % machines.length];
            if (machine === undefined || now < machine.busyUntil) continue;
            machine.busyUntil = now + wire.there + wire.back + 1;
            if (wire.toggle) machine.cut = !machine.cut;
            const lost = machine.cut ? "request" : wire.lost;
            const identity = machine.state.identity;
            if (wire.restart) machine.state = newElection(`${identity.split("/")[0]}/${stamp++}`, LEASE_TIMING);
            const mine = machine.state.identity;
            const current = () => machine.state.identity === mine;
            const leading = isLeading(machine.state, local(machine));
            if (!leading && takeableAt(machine.state, local(machine)) !== undefined) {
              // Looks.
              later(wire.there, () => {
                const seen = server;
                later(wire.back, () => {
                  if (current() && lost === "no") machine.state = observeLease(machine.state, seen, local(machine));
                });
              });
              continue;
            }
            const wanted = wantedRecord(machine.state, `w${stamp++}`);
            const known = machine.state.lease?.resourceVersion;
            machine.state = sendRecord(machine.state, wanted, local(machine));
            later(wire.there, () => {
              if (lost === "request") return;
              const taken = server?.resourceVersion === known;
              if (taken) server = { resourceVersion: String(++version), record: wanted };
              const seen = server;
              later(wire.back, () => {
                if (!current() || lost === "answer") return;
                machine.state =
                  taken && seen !== undefined
                    ? confirmRecord(machine.state, seen.resourceVersion)
                    : observeLease(machine.state, seen, local(machine));
              });
            });
          }
          runUntil(now + 60_000);
        },
      ),
      { numRuns: 300 },
    );
  });
});
