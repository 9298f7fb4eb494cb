import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { milliseconds } from "../../../src/base/duration.ts";
import { Scope } from "../../../src/base/scope.ts";
import { KubeClient, type KubeEndpoint } from "../../../src/kube/client.ts";
import type { LeaseTiming } from "../../../src/kube/election.ts";
import { Elector } from "../../../src/kube/elector.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { FaultProxy } from "../../support/fault-proxy.ts";
import { administrator, inCluster, kubectl, realFetch } from "../../support/in-cluster.ts";

/** Kubernetes' own times, seven times as fast. The Lease itself counts in whole seconds. */
const TIMING: LeaseTiming = {
  leaseDuration: milliseconds(2000),
  renewDeadline: milliseconds(1400),
  retryPeriod: milliseconds(300),
};

/** Where nobody has to lose the lease: a busy machine takes its time too. */
const PATIENT: LeaseTiming = { ...TIMING, leaseDuration: milliseconds(10_000), renewDeadline: milliseconds(7000) };

/** When somebody led, by this process' clock. */
interface Reign {
  readonly who: string;
  readonly from: number;
  until: number;
}

interface LeaseJson {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec: { readonly holderIdentity: string; readonly renewTime: string; readonly acquireTime: string };
}

inCluster(import.meta.path, () => {
  let endpoint: KubeEndpoint;
  beforeAll(async () => {
    endpoint = await administrator();
  });

  let history: Reign[] = [];
  let candidates: Candidate[] = [];
  afterEach(async () => {
    await Promise.all(candidates.map((candidate) => candidate.close()));
    history = [];
    candidates = [];
  });

  /** An elector behind a wire of its own. */
  class Candidate {
    readonly elector: Elector;
    readonly proxy: FaultProxy;
    readonly errors: unknown[] = [];
    readonly #scope = new Scope();
    readonly #identity: string;

    static async start(identity: string, lease: string, timing = TIMING): Promise<Candidate> {
      const { tls } = await endpoint.credentials();
      const candidate = new Candidate(identity, lease, timing, await FaultProxy.start(endpoint.url, tls));
      candidates.push(candidate);
      return candidate;
    }

    private constructor(identity: string, lease: string, timing: LeaseTiming, proxy: FaultProxy) {
      const clock = new SystemClock();
      this.#identity = identity;
      this.proxy = proxy;
      const credentials = async () => ({ token: (await endpoint.credentials()).token, tls: undefined });
      this.elector = new Elector({
        client: new KubeClient({ url: proxy.url, credentials }, "selvedge-cloud/test", realFetch, clock),
        fieldManager: "selvedge-operator",
        lease: { namespace: "default", name: lease },
        identity,
        timing,
        clock,
        random: Math.random,
        onTerm: (term) => this.#reign(term),
        onHolder: () => undefined,
        onFailure: (error) => this.errors.push(error),
      });
      this.elector.start(this.#scope);
    }

    async leads(): Promise<void> {
      await waitFor(`${this.#identity} leads`, () => this.elector.leading);
    }

    async close(): Promise<void> {
      await this.#scope.close();
      await this.proxy[Symbol.asyncDispose]();
    }

    #reign(term: AbortSignal): void {
      const reign: Reign = { who: this.#identity, from: performance.now(), until: Number.POSITIVE_INFINITY };
      history.push(reign);
      term.addEventListener("abort", () => {
        reign.until = performance.now();
      });
    }
  }

  /** As the API server has it. Not by kubectl: while a program starts, electors of this process stand still. */
  async function lease(name: string): Promise<LeaseJson> {
    const { token, tls } = await endpoint.credentials();
    const path = `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}`;
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(endpoint.url + path, { headers, ...(tls === undefined ? {} : { tls: { ...tls } }) });
    if (!answer.ok) throw new Error(`Cannot get ${path}: HTTP ${answer.status}`);
    return (await answer.json()) as LeaseJson;
  }
  function expectNoOverlap(): void {
    const sorted = [...history].sort((a, b) => a.from - b.from);
    const overlaps = sorted.filter((reign, i) => i > 0 && reign.from < (sorted[i - 1]?.until ?? 0));
    expect(overlaps).toEqual([]);
  }

  describe("two electors and one Lease", () => {
    test("one leads, says so in Kubernetes' words, and keeps on renewing", async () => {
      const first = await Candidate.start("a", "plain", PATIENT);
      await first.leads();
      const second = await Candidate.start("b", "plain", PATIENT);
      const { spec, metadata } = await lease("plain");
      expect(spec).toMatchObject({ holderIdentity: "a", leaseDurationSeconds: 10, leaseTransitions: 0 });
      expect(Math.abs(Date.parse(spec.renewTime) - Date.now())).toBeLessThan(5000);
      await waitFor(
        "a renewal",
        async () => (await lease("plain")).metadata.resourceVersion !== metadata.resourceVersion,
      );
      expect((await lease("plain")).spec.acquireTime).toBe(spec.acquireTime);
      await waitFor("the second one knows", () => second.elector.holder === "a");
      expect(second.elector.leading).toBeFalse();
    });

    test("a leader that ends gives the lease up, and the other need not wait for it to run out", async () => {
      const first = await Candidate.start("a", "released", PATIENT);
      await first.leads();
      const second = await Candidate.start("b", "released", PATIENT);
      await waitFor("the second one knows", () => second.elector.holder === "a");
      const before = performance.now();
      await first.close();
      await second.leads();
      expect(performance.now() - before).toBeLessThan(PATIENT.leaseDuration / 2);
      expect((await lease("released")).spec).toMatchObject({ holderIdentity: "b", leaseTransitions: 1 });
      expectNoOverlap();
    });

    test("a leader that is cut off stops before the other begins, and follows once it is back", async () => {
      const first = await Candidate.start("a", "partition");
      await first.leads();
      const second = await Candidate.start("b", "partition");
      await waitFor("the second one knows", () => second.elector.holder === "a");
      first.proxy.become({ kind: "hang" });
      await second.leads();
      const [before, after] = history;
      expect(before?.until).toBeLessThan(after?.from ?? 0);
      first.proxy.become({ kind: "pass" });
      await waitFor("the first one follows", () => first.elector.holder === "b");
      expect(first.elector.leading).toBeFalse();
      expectNoOverlap();
    });

    test("renewals whose answers are lost are renewals: nobody loses the lease by them", async () => {
      const first = await Candidate.start("a", "lost", PATIENT);
      await first.leads();
      const second = await Candidate.start("b", "lost", PATIENT);
      await waitFor("the second one knows", () => second.elector.holder === "a");
      let count = 0;
      first.proxy.choose(({ method }) =>
        method === "PATCH" && count++ % 2 === 0 ? { kind: "lose" } : { kind: "pass" },
      );
      await waitFor("ten renewals", () => count >= 10);
      expect(history.map(({ who }) => who)).toEqual(["a"]);
      expect(first.elector.leading).toBeTrue();
      expect(second.elector.leading).toBeFalse();
    });

    test("a leader outlasts a server that is away for less than its deadline, and errors of all kinds", async () => {
      const first = await Candidate.start("a", "flapping", PATIENT);
      await first.leads();
      let count = 0;
      const faults = [500, 429, 503, 409].map((status) => ({ kind: "answer", status }) as const);
      first.proxy.choose(() => (count++ % 3 === 2 ? { kind: "pass" } : (faults[count % 4] ?? { kind: "cut" })));
      await waitFor("twenty requests", () => count >= 20, { timeout: milliseconds(15_000) });
      expect(first.errors.length).toBeGreaterThan(5);
      expect(first.elector.leading).toBeTrue();
      expect(history).toHaveLength(1);
    });

    test("a deleted Lease is made again, by one of them", async () => {
      const first = await Candidate.start("a", "deleted");
      await first.leads();
      kubectl("delete", "lease", "deleted");
      await waitFor("the Lease", async () => (await lease("deleted")).spec.holderIdentity === "a");
      await first.leads();
    });
  });

  test("of five that want the lease at the same moment one has it, through every change of leaders", async () => {
    const five = await Promise.all(["a", "b", "c", "d", "e"].map((name) => Candidate.start(name, "race")));
    for (let round = 0; round < 3; round++) {
      const leader = await waitFor("a leader", () => five.find((one) => one.elector.leading));
      expect(five.filter((one) => one.elector.leading)).toHaveLength(1);
      leader.proxy.become({ kind: round === 1 ? "hang" : "cut" });
      await waitFor("another leader", () => five.find((one) => one.elector.leading && one !== leader));
      leader.proxy.become({ kind: "pass" });
    }
    expect(history.length).toBeGreaterThanOrEqual(4);
    expectNoOverlap();
  });
});
