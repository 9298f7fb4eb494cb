import { expect, test } from "bun:test";
import { KindCache } from "../../../edge/cache/kind-cache.ts";
import { PendingWrites } from "../../../edge/cache/pending-writes.ts";
import { contentDigest } from "../../../edge/cache/store.ts";
import { milliseconds } from "../../../src/base/duration.ts";
import { Scope } from "../../../src/base/scope.ts";
import { type Fetch, KubeClient } from "../../../src/kube/client.ts";
import { ListWatch } from "../../../src/kube/list-watch.ts";
import { Recovery } from "../../../src/kube/recovery.ts";
import { TRAITS } from "../../../src/kube/traits.ts";
import { seededRandom, testSeed } from "../../support/seeded-random.ts";
import { SteppedClock } from "../../support/stepped-clock.ts";

const AGENTS = 5000;
const SPREAD_SECONDS = 60;
/** A fair share of a second is 84 lists, with a standard deviation of 9. */
const LISTS_A_SECOND_MOST = 150;
const LINES = 15;

const item = (n: number) => ({
  metadata: { namespace: "d", name: `web-${n}`, uid: `web-${n}`, resourceVersion: String(n) },
  spec: { clusterIP: `10.96.0.${n}`, ports: [{ port: 80 }] },
});

/** An API server without sockets that can forget where watches stood, as one that starts again does. */
class ForgetfulServer {
  /** In milliseconds of the clock. */
  readonly lists: number[] = [];
  readonly #clock: SteppedClock;
  readonly #text: string;
  readonly #watches = new Set<ReadableStreamDefaultController<Uint8Array>>();
  #oldest = 100;

  constructor(clock: SteppedClock) {
    this.#clock = clock;
    this.#text = JSON.stringify([1, 2, 3].map(item));
  }

  get watchCount(): number {
    return this.#watches.size;
  }

  forget(): void {
    this.#oldest += 100;
    const watches = [...this.#watches];
    this.#watches.clear();
    for (const stream of watches) stream.error(new Error("connection reset"));
  }

  readonly answer: Fetch = async (url, { signal }) => {
    const { searchParams } = new URL(url);
    if (searchParams.get("watch") !== "true") {
      this.lists.push(this.#clock.now());
      return new Response(`{"metadata":{"resourceVersion":"${this.#oldest}"},"items":${this.#text}}`);
    }
    if (Number(searchParams.get("resourceVersion")) < this.#oldest)
      return Response.json({ code: 410, message: "too old resource version" }, { status: 410 });
    const start = (stream: ReadableStreamDefaultController<Uint8Array>) => {
      this.#watches.add(stream);
      signal.addEventListener("abort", () => {
        if (this.#watches.delete(stream)) stream.error(signal.reason);
      });
    };
    return new Response(new ReadableStream({ start }));
  };
}

/** Bodies take turns of the event loop, not only promises. */
async function pass(clock: SteppedClock, time: number): Promise<void> {
  for (let i = 0; i < time; i += 500) {
    await clock.advance(milliseconds(500));
    for (let turn = 0; turn < 6; turn++) await new Promise(setImmediate);
  }
}

test(`${AGENTS} agents whose API server has forgotten where their watches stood list over ${SPREAD_SECONDS} s, once each, and what is the same as before changes nothing`, async () => {
  const seed = testSeed();
  console.log(`seed ${seed}, a stepped clock`);
  const [clock, scope, random] = [new SteppedClock(), new Scope(), seededRandom(seed)];
  const server = new ForgetfulServer(clock);
  const endpoint = { url: "http://h", credentials: async () => ({ token: undefined, tls: undefined }) };
  const client = new KubeClient(endpoint, "selvedge/1", server.answer, clock);
  const pending = new PendingWrites();
  const changed: string[] = [];
  for (let i = 0; i < AGENTS; i++) {
    const kind = new KindCache("Service", pending, () => clock.wall(), contentDigest);
    new ListWatch({
      ...{ client, clock, random, source: "api-server", decoder: kind.decoder },
      spread: TRAITS["api-server"].spread,
      recovery: new Recovery(clock, random, scope),
      emit: (event) => changed.push(...kind.apply(event, false).map(({ key }) => key)),
    }).start(scope);
  }
  await pass(clock, 2000);
  expect(server.watchCount).toBe(AGENTS);
  expect(changed).toHaveLength(AGENTS * 3);
  changed.length = 0;
  pending.take();

  server.lists.length = 0;
  const forgotten = clock.now();
  server.forget();
  await pass(clock, 1000 * (SPREAD_SECONDS + 5));
  const counts = Array.from({ length: SPREAD_SECONDS + 5 }, () => 0);
  for (const at of server.lists) {
    const second = Math.floor((at - forgotten) / 1000);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  for (let from = 0; from < counts.length; from += LINES)
    console.log(`lists in second ${String(from).padStart(2)} ff.: ${counts.slice(from, from + LINES).join(" ")}`);
  expect(server.lists).toHaveLength(AGENTS);
  expect(server.watchCount).toBe(AGENTS);
  expect(Math.max(...counts)).toBeLessThan(LISTS_A_SECOND_MOST);
  const middle = counts.slice(1, SPREAD_SECONDS);
  expect(Math.min(...middle)).toBeGreaterThan(0);
  expect(changed).toEqual([]);
  expect(pending.urgent).toBeFalse();
  await scope.close();
}, 120_000);
