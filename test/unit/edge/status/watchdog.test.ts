import { describe, expect, test } from "bun:test";
import { logStall, STALL, Watchdog } from "../../../../edge/status/watchdog.ts";
import type { Clock, MonotonicTime } from "../../../../src/base/clock.ts";
import { milliseconds, seconds } from "../../../../src/base/duration.ts";
import { Log, type LogRecord } from "../../../../src/base/log.ts";
import { Scope } from "../../../../src/base/scope.ts";

/** Time passes without timers running, as when the event loop stands still. */
class StallingClock implements Clock {
  time = 0;
  due: (() => void) | undefined;
  now = () => this.time as MonotonicTime;
  wall = () => this.time;
  after(_delay: number, run: () => void) {
    this.due = run;
    return {
      cancel: () => {
        this.due = undefined;
      },
    };
  }
  beatAfter(ms: number) {
    this.time += ms;
    this.due?.();
  }
}

function start() {
  const clock = new StallingClock();
  const scope = new Scope();
  let fed = 0;
  const records: LogRecord[] = [];
  const log = new Log((record) => records.push(record), "info");
  const watchdog = new Watchdog(
    clock,
    (lag) => {
      fed += 1;
      logStall(log, "main", lag);
    },
    scope,
  );
  return { clock, scope, watchdog, records, fed: () => fed };
}

describe("watchdog", () => {
  test("every beat feeds the service manager, and a beat in time is no lag", () => {
    const { clock, watchdog, fed } = start();
    clock.beatAfter(1000);
    clock.beatAfter(1000);
    expect(fed()).toBe(2);
    expect(watchdog.lag).toBe(seconds(0));
  });

  test("a late beat is a lag, and the worst one is kept until it is taken", () => {
    const { clock, watchdog } = start();
    clock.beatAfter(3500);
    clock.beatAfter(1000);
    expect(watchdog.lag).toBe(seconds(0));
    expect(watchdog.takeWorstLag()).toBe(seconds(2.5));
    expect(watchdog.takeWorstLag()).toBe(seconds(0));
  });

  test("a beat that is late enough to be noticed is told, once", () => {
    const { clock, records } = start();
    clock.beatAfter(1000 + milliseconds(240));
    expect(records).toEqual([]);
    clock.beatAfter(1000 + milliseconds(300));
    clock.beatAfter(1000);
    expect(records).toMatchObject([{ event: "agent.stalled", fields: { name: "main", duration_ms: 300 } }]);
  });

  test("a loop that stands still does not feed, and is not alive after a while", () => {
    const { clock, watchdog, fed } = start();
    clock.time += STALL;
    expect(watchdog.alive()).toBe(true);
    clock.time += 1000;
    expect(watchdog.alive()).toBe(false);
    expect(watchdog.lag).toBe(STALL);
    expect(fed()).toBe(0);
  });

  test("it stops with its scope", async () => {
    const { clock, scope, fed } = start();
    await scope.close();
    clock.beatAfter(1000);
    expect(fed()).toBe(0);
  });
});
