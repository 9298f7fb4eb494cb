import { describe, expect, test } from "bun:test";
import { hours, milliseconds, seconds } from "../../../../src/base/duration.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { type FetchInit, KubeClient } from "../../../../src/kube/client.ts";
import { LEASE_TIMING } from "../../../../src/kube/election.ts";
import { Elector } from "../../../../src/kube/elector.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

interface Lease {
  metadata: { uid: string; resourceVersion: string };
  spec: { holderIdentity: string; acquireTime: string; renewTime: string; leaseTransitions: number };
}

/** A server with one Lease, as far as an elector asks: versions are preconditions. */
class LeaseServer {
  lease: Lease | undefined;
  readonly writes: { readonly who: string; readonly spec: Lease["spec"] }[] = [];
  #version = 0;

  answer(init: FetchInit): Response {
    const refuse = (status: number) => Response.json({ kind: "Status", message: "no" }, { status });
    if (init.method === "GET") return this.lease === undefined ? refuse(404) : Response.json(this.lease);
    const body = JSON.parse(init.body ?? "") as Lease;
    const known = body.metadata.resourceVersion;
    if (init.method === "POST" ? this.lease !== undefined : known !== this.lease?.metadata.resourceVersion)
      return refuse(409);
    this.lease = { metadata: { uid: "u", resourceVersion: String(++this.#version) }, spec: body.spec };
    this.writes.push({ who: String(init.headers["user-agent"]), spec: body.spec });
    return Response.json(this.lease);
  }
}

class Candidate {
  readonly scope = new Scope();
  readonly terms: AbortSignal[] = [];
  readonly holders: string[] = [];
  readonly errors: unknown[] = [];
  readonly elector: Elector;
  /** What the wire does with a request. */
  wire: (init: FetchInit) => Promise<Response>;

  constructor(identity: string, server: LeaseServer, clock: SteppedClock) {
    this.wire = async (init) => server.answer(init);
    const endpoint = { url: "http://h", credentials: async () => ({ token: undefined, tls: undefined }) };
    this.elector = new Elector({
      client: new KubeClient(endpoint, identity, (_, init) => this.wire(init), clock),
      fieldManager: "test",
      lease: { namespace: "n", name: "l" },
      identity,
      timing: LEASE_TIMING,
      clock,
      random: () => 0.5,
      onTerm: (term) => this.terms.push(term),
      onHolder: (holder) => this.holders.push(holder),
      onFailure: (error) => this.errors.push(error),
    });
    this.elector.start(this.scope);
  }
}

const hang = (init: FetchInit) =>
  new Promise<Response>((_, reject) => init.signal.addEventListener("abort", () => reject(init.signal.reason)));

/** Bodies of answers take turns of the event loop, not only promises. */
async function advance(clock: SteppedClock, ms: number): Promise<void> {
  for (let rest = ms; rest > 0; rest -= 100) {
    await clock.advance(milliseconds(Math.min(100, rest)));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("an elector", () => {
  test("takes a Lease that is not there, and renews it every period", async () => {
    const [server, clock] = [new LeaseServer(), new SteppedClock()];
    const a = new Candidate("a", server, clock);
    await advance(clock, 500);
    expect(a.elector.leading).toBeTrue();
    expect([a.terms.length, a.holders]).toEqual([1, ["", "a"]]);
    await advance(clock, 60_000);
    expect(server.writes.length).toBeGreaterThanOrEqual(25);
    expect(server.writes.length).toBeLessThanOrEqual(31);
    expect(server.lease?.spec.leaseTransitions).toBe(0);
    await a.scope.close();
  });

  test("that cannot renew stops leading at its deadline, while its request still hangs", async () => {
    const [server, clock] = [new LeaseServer(), new SteppedClock()];
    const a = new Candidate("a", server, clock);
    await advance(clock, 500);
    a.wire = hang;
    const last = server.writes.length;
    await advance(clock, 9000);
    expect(a.elector.leading).toBeTrue();
    await advance(clock, 3000);
    expect(a.elector.leading).toBeFalse();
    expect(a.terms[0]?.aborted).toBeTrue();
    expect(server.writes.length).toBe(last);
    await a.scope.close();
  });

  test("that was stopped for longer than its deadline does not lead when it wakes up, before any timer has run", async () => {
    const [server, clock] = [new LeaseServer(), new SteppedClock()];
    const a = new Candidate("a", server, clock);
    await advance(clock, 500);
    let now = clock.now() as number;
    Object.defineProperty(clock, "now", { value: () => now });
    now += 30_000;
    expect(a.elector.leading).toBeFalse();
    expect(a.terms[0]?.aborted).toBeFalse();
    await a.scope.close();
  });

  test("does not care for the wall clock, whichever way it is set", async () => {
    const [server, clock] = [new LeaseServer(), new SteppedClock()];
    const [a, b] = [new Candidate("a", server, clock), new Candidate("b", server, clock)];
    await advance(clock, 1000);
    const [leader, follower] = a.elector.leading ? [a, b] : [b, a];
    for (const step of [hours(24), hours(-24 * 365)]) {
      Object.defineProperty(clock, "wall", { value: () => Date.UTC(2026, 0, 1) + step, configurable: true });
      await advance(clock, 40_000);
      expect([leader.elector.leading, follower.elector.leading]).toEqual([true, false]);
    }
    expect([leader.terms.length, follower.terms.length]).toEqual([1, 0]);
    await Promise.all([a.scope.close(), b.scope.close()]);
  });

  test("takes over from one that is gone, not before the Lease's duration and soon after it", async () => {
    const [server, clock] = [new LeaseServer(), new SteppedClock()];
    const a = new Candidate("a", server, clock);
    await advance(clock, 1000);
    const b = new Candidate("b", server, clock);
    await advance(clock, 5000);
    a.wire = hang;
    const renewed = server.writes.at(-1)?.spec.renewTime ?? "";
    await advance(clock, 12_000);
    expect(a.elector.leading).toBeFalse();
    expect(b.elector.leading).toBeFalse();
    await advance(clock, 6500);
    expect(b.elector.leading).toBeTrue();
    const took = Date.parse(server.lease?.spec.acquireTime ?? "") - Date.parse(renewed);
    expect(took).toBeGreaterThanOrEqual(15_000);
    expect(took).toBeLessThan(18_000);
    expect(server.lease?.spec.leaseTransitions).toBe(1);
    await Promise.all([a.scope.close(), b.scope.close()]);
  });

  test("gives the Lease up when it is closed, after what was closed before it, and only its own", async () => {
    const [server, clock] = [new LeaseServer(), new SteppedClock()];
    const a = new Candidate("a", server, clock);
    await advance(clock, 500);
    let held: string | undefined;
    a.scope.onClose("work", () => {
      held = server.lease?.spec.holderIdentity;
    });
    await a.scope.close();
    expect(held).toBe("a");
    expect(server.lease?.spec.holderIdentity).toBe("");

    const b = new Candidate("b", server, clock);
    await advance(clock, 3000);
    expect(b.elector.leading).toBeTrue();
    const lease = server.lease;
    if (lease !== undefined)
      server.lease = {
        metadata: { ...lease.metadata, resourceVersion: "other" },
        spec: { ...lease.spec, holderIdentity: "c" },
      };
    await b.scope.close();
    expect(server.lease?.spec.holderIdentity).toBe("c");
  });

  test("steps down at once when it reads that another holds the Lease", async () => {
    const [server, clock] = [new LeaseServer(), new SteppedClock()];
    const a = new Candidate("a", server, clock);
    await advance(clock, 500);
    const lease = server.lease;
    if (lease !== undefined)
      server.lease = {
        metadata: { ...lease.metadata, resourceVersion: "other" },
        spec: { ...lease.spec, holderIdentity: "c" },
      };
    await advance(clock, 2100);
    expect(a.elector.leading).toBeFalse();
    expect(a.terms[0]?.aborted).toBeTrue();
    expect(a.holders.at(-1)).toBe("c");
    await a.scope.close();
  });

  test("asks once in two periods while the server is away, and no more", async () => {
    const [server, clock] = [new LeaseServer(), new SteppedClock()];
    const a = new Candidate("a", server, clock);
    let asked = 0;
    a.wire = async () => {
      asked += 1;
      throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    };
    await advance(clock, 60_000);
    expect(asked).toBeLessThanOrEqual(15);
    expect(a.errors.length).toBeGreaterThan(12);
    expect(seconds(60) / asked).toBeGreaterThanOrEqual(4000);
    await a.scope.close();
  });
});
