import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cache } from "../../../edge/cache/cache.ts";
import { CacheStore } from "../../../edge/cache/store.ts";
import type { StoreBatch } from "../../../edge/cache/stored-state.ts";
import { type Duration, milliseconds, seconds } from "../../../src/base/duration.ts";
import { Health } from "../../../src/base/health.ts";
import { Log } from "../../../src/base/log.ts";
import { Metrics } from "../../../src/base/metrics.ts";
import { Scope } from "../../../src/base/scope.ts";
import { KubeClient } from "../../../src/kube/client.ts";
import type { ObjectChange } from "../../../src/network/object-change.ts";
import { effort } from "../../support/effort.ts";
import { FlappingSource } from "../../support/flapping-source.ts";
import { seededRandom, testSeed } from "../../support/seeded-random.ts";
import { SteppedClock } from "../../support/stepped-clock.ts";

/** Of a stepped clock: a run takes half a second. */
const MINUTES = 10;
const RUNS = effort(5, 100);
const STEP = milliseconds(250);
/** Of so many seconds: fewer requests than that are fewer than one a second. */
const WINDOW_SECONDS = 20;
const CONVERGED_WITHIN = seconds(10);
const [BEFORE, AFTER] = ["10.96.0.1", "10.96.0.2"];

let folder: string;
let scope: Scope;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "selvedge-flap-"));
  scope = new Scope();
});
afterEach(async () => {
  await scope.close();
  rmSync(folder, { recursive: true });
});

class CountingStore extends CacheStore {
  writes = 0;

  override write(batch: StoreBatch) {
    this.writes += 1;
    return super.write(batch);
  }
}

/** An agent's cache with all that it follows, of a source that comes and goes as it is told. */
class FollowingCache {
  readonly clock = new SteppedClock();
  readonly source = new FlappingSource(this.clock);
  readonly store = new CountingStore(folder);
  readonly addresses: (string | undefined)[] = [];
  readonly cache: Cache;

  constructor(seed: number) {
    const { clock, store } = this;
    const random = seededRandom(seed);
    this.cache = new Cache({
      ...{ store, clock, random, metrics: new Metrics("x"), log: new Log(() => undefined, "error") },
      health: new Health(
        () => clock.wall(),
        () => undefined,
      ),
      documents: { namespace: "fabedge", configMap: "c", secret: "s", judgeSecret: () => undefined },
    });
    this.cache.load();
    const endpoint = { url: "http://h", credentials: async () => ({ token: undefined, tls: undefined }) };
    const client = new KubeClient(endpoint, "selvedge/1", this.source.answer, clock);
    this.cache.start(
      { kind: "api-server", client, nodeName: "n" },
      {
        changes: (changes: readonly ObjectChange[]) =>
          this.addresses.push(
            ...changes.map((change) => (change.kind === "Service" ? change.value?.clusterIps[0] : change.key)),
          ),
        trusted: () => undefined,
        slicesWithheld: () => undefined,
      },
      scope,
    );
  }

  /** Bodies take turns of the event loop, not only promises. */
  async pass(time: Duration): Promise<void> {
    for (const end = this.clock.now() + time; this.clock.now() < end; ) {
      await this.clock.advance(STEP);
      for (let i = 0; i < 4; i++) await new Promise(setImmediate);
    }
  }

  /** Most requests in any window from then on. */
  busiest(since: number): number {
    const asked = this.source.requests.filter((at) => at >= since);
    const within = (from: number) => asked.filter((at) => at >= from && at < from + 1000 * WINDOW_SECONDS).length;
    return Math.max(0, ...asked.map(within));
  }
}

test(`an API server that is up for a second and away for a second, for ${MINUTES} minutes, is asked less than once a second, changes nothing, and is followed within ${CONVERGED_WITHIN / 1000} s once it stays`, async () => {
  const seed = testSeed();
  console.log(`seed ${seed}, ${RUNS} runs of a stepped clock`);
  for (let run = 0; run < RUNS; run++) {
    const agent = new FollowingCache(seed + run);
    const { clock, source, cache, store } = agent;
    await agent.pass(seconds(60));
    expect(agent.addresses).toEqual([BEFORE]);
    expect(cache.status().connected).toBeTrue();
    const [begun, written, listed] = [clock.now(), store.writes, source.listCount];

    for (let second = 0; second < MINUTES * 60; second++) {
      source.up = second % 2 === 1;
      if (second === 400) source.change(AFTER); // while it is away
      await agent.pass(seconds(1));
    }
    const minutes = Array.from({ length: MINUTES }, (_, minute) => {
      const from = begun + minute * 60_000;
      return source.requests.filter((at) => at >= from && at < from + 60_000).length;
    });
    const busiest = agent.busiest(begun + 60_000);
    if (run === 0) console.log(`requests a minute: ${minutes.join(" ")}; at most ${busiest} in ${WINDOW_SECONDS} s`);
    expect(busiest).toBeLessThan(WINDOW_SECONDS);
    // Watches go on where they stood.
    expect(source.listCount).toBe(listed);
    // What has changed may have been seen already. Nothing else has, and nothing is seen twice.
    expect([BEFORE, [BEFORE, AFTER].join()]).toContain(agent.addresses.join());
    expect(store.writes).toBe(written + agent.addresses.length - 1);

    source.up = true;
    const steady = clock.now();
    const isFollowed = () => cache.status().kinds.every(({ connected }) => connected) && agent.addresses.length === 2;
    while (!isFollowed() && clock.now() - steady < CONVERGED_WITHIN) await agent.pass(STEP);
    expect(cache.status().kinds.filter(({ connected }) => !connected)).toEqual([]);
    expect(agent.addresses).toEqual([BEFORE, AFTER]);
    await scope.close();
    scope = new Scope();
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), "selvedge-flap-"));
  }
}, 120_000);
