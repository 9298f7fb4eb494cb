import { expect, test } from "bun:test";
import { minutes, seconds } from "../../../../src/base/duration.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { Reconciler } from "../../../../src/reconcile/reconciler.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

function bench(run: (full: boolean) => Promise<void>) {
  const clock = new SteppedClock();
  const scope = new Scope();
  const failures: unknown[] = [];
  const reconciler = new Reconciler(
    {
      run,
      onFailure: (error) => failures.push(error),
      onSuccess: () => {},
      every: minutes(5),
      backoff: { initial: seconds(1), factor: 2, limit: seconds(60) },
    },
    clock,
    () => 0,
    scope,
  );
  return { clock, scope, failures, reconciler };
}

test("triggers that come during a run become one more run", async () => {
  const gates: (() => void)[] = [];
  let runs = 0;
  const { reconciler, scope } = bench(async () => {
    runs += 1;
    await new Promise<void>((resolve) => gates.push(resolve));
  });
  const first = reconciler.trigger();
  void reconciler.trigger();
  void reconciler.trigger();
  gates[0]?.();
  await Bun.sleep(0);
  gates[1]?.();
  await first;
  expect(runs).toBe(2);
  await scope.close();
});

test("a trigger is not lost, however late in a run it comes", async () => {
  for (let turns = 0; turns < 20; turns++) {
    let runs = 0;
    const { reconciler, scope } = bench(async () => {
      runs += 1;
    });
    void reconciler.trigger();
    for (let i = 0; i < turns; i++) await Promise.resolve();
    const before = runs;
    await reconciler.trigger();
    expect(runs).toBe(before + 1);
    await scope.close();
  }
});

test("a trigger during a run that fails does not cut the back-off short", async () => {
  let runs = 0;
  const gate = Promise.withResolvers<void>();
  const b = bench(async () => {
    runs += 1;
    await gate.promise;
    throw new Error("busy");
  });
  const first = b.reconciler.trigger();
  void b.reconciler.trigger();
  gate.resolve();
  await first;
  expect([runs, b.failures.length]).toEqual([1, 1]);
  await b.scope.close();
});

test("the slow timer looks at everything again", async () => {
  const fulls: boolean[] = [];
  const { reconciler, clock, scope } = bench(async (full) => void fulls.push(full));
  await reconciler.trigger();
  await clock.advance(minutes(10));
  expect(fulls).toEqual([false, true, true]);
  await scope.close();
  expect(clock.pending).toBe(0);
});

test("everything is looked at again in time, however often something else is asked for", async () => {
  const fulls: number[] = [];
  const { reconciler, clock, scope } = bench(async (full) => {
    if (full) fulls.push(clock.now());
  });
  for (let i = 0; i < 11; i++) {
    await reconciler.trigger();
    await clock.advance(minutes(1));
  }
  expect(fulls).toEqual([minutes(5), minutes(10)]);
  await scope.close();
  expect(clock.pending).toBe(0);
});

test("a failure is tried again in full, later each time, until it succeeds", async () => {
  const at: number[] = [];
  let broken = true;
  const b = bench(async () => {
    at.push(b.clock.now());
    if (broken) throw new Error("busy");
  });
  await b.reconciler.trigger();
  await b.clock.advance(seconds(10));
  expect(at).toEqual([0, 500, 1500, 3500, 7500]);
  broken = false;
  await b.clock.advance(seconds(10));
  expect(b.failures.length).toBe(5);
  expect(at.length).toBe(6);
  await b.scope.close();
});

test("whoever asks first after a failure, that run looks at everything", async () => {
  const fulls: boolean[] = [];
  const b = bench(async (full) => {
    fulls.push(full);
    if (fulls.length === 1) throw new Error("busy");
  });
  await b.reconciler.trigger();
  // Before the back-off is over: something has changed.
  await b.reconciler.trigger();
  await b.reconciler.trigger();
  expect(fulls).toEqual([false, true, false]);
  await b.scope.close();
});

test("closing waits for the run under way and starts none after it", async () => {
  const gate = Promise.withResolvers<void>();
  let runs = 0;
  const { reconciler, scope } = bench(async () => {
    runs += 1;
    await gate.promise;
  });
  void reconciler.trigger();
  void reconciler.trigger();
  const closing = scope.close();
  gate.resolve();
  await closing;
  await reconciler.trigger();
  expect(runs).toBe(1);
});
