import { describe, expect, test } from "bun:test";
import { type Duration, milliseconds, minutes, seconds } from "../../../../src/base/duration.ts";
import { SelvedgeError } from "../../../../src/base/errors.ts";
import { Metrics } from "../../../../src/base/metrics.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { WorkQueue } from "../../../../src/reconcile/work-queue.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { SteppedClock, settle } from "../../../support/stepped-clock.ts";

function refusal(code: "DOWN" | "BAD", after?: Duration): SelvedgeError {
  const details = { code, blame: "peer", retry: "later" } as const;
  return new SelvedgeError("refused", after === undefined ? details : { ...details, after });
}

/** A queue whose work is held open, or fails as told. */
class World {
  readonly clock = new SteppedClock();
  readonly scope = new Scope();
  readonly started: { readonly key: string; readonly at: number }[] = [];
  readonly failures: { readonly key: string; readonly retryIn: number }[] = [];
  readonly queue: WorkQueue<string>;
  /** What a key's work ends with; a promise holds it open. */
  outcome: (key: string) => Promise<void> | SelvedgeError | undefined = () => undefined;

  constructor({ workers = 4, rate = { perSecond: 1000, burst: 1000 } } = {}) {
    this.queue = new WorkQueue<string>(
      {
        work: async (key) => {
          this.started.push({ key, at: this.clock.now() });
          const outcome = this.outcome(key);
          if (outcome instanceof SelvedgeError) throw outcome;
          await outcome;
        },
        isOutage: (error) => error instanceof SelvedgeError && error.code === "DOWN",
        onFailure: (key, _, retryIn) => this.failures.push({ key, retryIn }),
        workers,
        rate,
        clock: this.clock,
        random: () => 0.999,
      },
      this.scope,
    );
    this.queue.resume();
  }

  get keys(): readonly string[] {
    return this.started.map(({ key }) => key);
  }

  addAll(count: number): void {
    for (let i = 0; i < count; i++) this.queue.add(`k${i}`);
  }
}

describe("a work queue", () => {
  test("works at most so many keys off at a time", async () => {
    const world = new World({ workers: 3 });
    const gates = new Map<string, () => void>();
    world.outcome = (key) => new Promise((resolve) => gates.set(key, resolve));
    world.addAll(5);
    expect(world.keys).toEqual(["k0", "k1", "k2"]);
    gates.get("k1")?.();
    await settle();
    expect(world.keys).toEqual(["k0", "k1", "k2", "k3"]);
  });

  test("keeps to its rate", async () => {
    const world = new World({ rate: { perSecond: 10, burst: 5 } });
    world.addAll(25);
    await world.clock.advance(milliseconds(0));
    expect(world.started).toHaveLength(5);
    await world.clock.advance(seconds(1));
    expect(world.started).toHaveLength(15);
    await world.clock.advance(seconds(1));
    expect(world.started).toHaveLength(25);
  });

  test("comes back to a failed key alone, after its own back-off", async () => {
    const world = new World();
    world.outcome = (key) => (key === "k1" ? refusal("BAD") : undefined);
    world.addAll(4);
    await world.clock.advance(seconds(1));
    expect(world.keys.filter((key) => key !== "k1")).toEqual(["k0", "k2", "k3"]);
    expect(world.failures.map(({ key, retryIn }) => `${key} ${Math.round(retryIn)}`)).toEqual([
      "k1 250",
      "k1 500",
      "k1 1000",
    ]);
    await world.clock.advance(minutes(30));
    const last = world.failures.at(-1);
    expect(Math.round((last?.retryIn ?? 0) / 60_000)).toBe(5);
  });

  test("leaves a server that is away alone: an hour of it costs one question in eight seconds, whatever there is to do", async () => {
    const world = new World();
    world.outcome = () => refusal("DOWN");
    world.addAll(1000);
    await world.clock.advance(minutes(1));
    const before = world.started.length;
    await world.clock.advance(minutes(60));
    expect((world.started.length - before) / 3600).toBeLessThan(1 / 7);
    expect(before).toBeLessThan(20);

    // Back: everything is done within the back-off's limit.
    world.outcome = () => undefined;
    const since = world.clock.now();
    await world.clock.advance(seconds(10));
    await waitFor("everything is done", () => world.queue.depth === 0);
    const done = new Set(world.started.filter(({ at }) => at >= since).map(({ key }) => key));
    expect(done.size).toBeGreaterThanOrEqual(980);
    await world.clock.advance(minutes(5));
    expect(world.queue.idle).toBeTrue();
  });

  test("asks once before everybody asks again", async () => {
    const world = new World({ workers: 4 });
    world.outcome = () => refusal("DOWN");
    world.addAll(8);
    await settle();
    expect(world.started).toHaveLength(4);
    let answer = () => {};
    world.outcome = () => new Promise((resolve) => (answer = resolve));
    await world.clock.advance(milliseconds(500));
    expect(world.started).toHaveLength(5);
    answer();
    await settle();
    expect(world.started).toHaveLength(9);
  });

  test("waits as long as the server asks, also where others were answered meanwhile", async () => {
    const world = new World({ workers: 2 });
    let finish = () => {};
    world.outcome = (key) =>
      key === "k0" ? new Promise((resolve) => (finish = resolve)) : refusal("DOWN", seconds(20));
    world.addAll(4);
    await settle();
    expect(world.keys).toEqual(["k0", "k1"]);
    world.outcome = () => undefined;
    finish();
    await world.clock.advance(milliseconds(19_999));
    expect(world.started).toHaveLength(2);
    await world.clock.advance(milliseconds(1));
    expect(world.keys).toEqual(["k0", "k1", "k2", "k1", "k3"]);
  });

  test("keeps what comes while it stands still, and finishes what it began before it does", async () => {
    const world = new World({ workers: 1 });
    let finish = () => {};
    world.outcome = () => new Promise((resolve) => (finish = resolve));
    world.addAll(2);
    let paused = false;
    const pausing = world.queue.pause().then(() => {
      paused = true;
    });
    world.queue.add("k2");
    await settle();
    expect(paused).toBeFalse();
    finish();
    await pausing;
    expect(world.keys).toEqual(["k0"]);
    expect(world.queue.depth).toBe(2);
    world.queue.resume();
    expect(world.keys).toEqual(["k0", "k1"]);
  });

  test("comes back to a key after the time that it was given", async () => {
    const world = new World();
    world.queue.addAfter("later", seconds(60));
    await world.clock.advance(milliseconds(59_999));
    expect(world.keys).toEqual([]);
    await world.clock.advance(milliseconds(1));
    expect(world.keys).toEqual(["later"]);
    expect(world.queue.idle).toBeTrue();
  });

  test("leaves no timer behind when it is closed", async () => {
    const world = new World();
    world.outcome = () => refusal("BAD");
    world.addAll(3);
    await settle();
    expect(world.clock.pending).toBe(1);
    await world.scope.close();
    expect(world.clock.pending).toBe(0);
  });

  test("shows what Kubernetes' own work queues show", async () => {
    const world = new World({ workers: 1 });
    const metrics = new Metrics("test");
    world.queue.register(metrics);
    let finish = () => {};
    world.outcome = () => new Promise((resolve) => (finish = resolve));
    world.addAll(3);
    world.queue.add("k2");
    await world.clock.advance(seconds(2));
    expect(metrics.render()).toContain("\ntest_workqueue_depth 2\n");
    expect(metrics.render()).toContain("\ntest_workqueue_adds_total 3\n");
    expect(metrics.render()).toContain("\ntest_workqueue_unfinished_work_seconds 2\n");
    finish();
    await settle();
    expect(metrics.render()).toContain("\ntest_workqueue_longest_running_processor_seconds 0\n");
    expect(metrics.render()).toContain("\ntest_workqueue_queue_duration_seconds_sum 2\n");
    expect(metrics.render()).toContain('\ntest_workqueue_work_duration_seconds_bucket{le="3"} 1\n');
  });
});
