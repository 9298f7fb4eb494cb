import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cache } from "../../../../edge/cache/cache.ts";
import { CacheStore } from "../../../../edge/cache/store.ts";
import { type Duration, milliseconds, seconds } from "../../../../src/base/duration.ts";
import { Health } from "../../../../src/base/health.ts";
import { Log, type LogRecord } from "../../../../src/base/log.ts";
import { Metrics } from "../../../../src/base/metrics.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { type Fetch, KubeClient } from "../../../../src/kube/client.ts";
import type { SourceKind } from "../../../../src/kube/trust.ts";
import type { ObjectChange } from "../../../../src/network/object-change.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const PATH = "/apis/dns.fabedge.io/v1alpha1/globalservices";
const WEB = {
  metadata: { namespace: "shop", name: "web", uid: "g", resourceVersion: "5", labels: { left: "out" } },
  spec: { type: "ClusterIP", ports: [{ port: 80 }], endpoints: [{ addresses: ["10.96.0.10"], cluster: "paris" }] },
};
/** As metaServer answers from its own store when it has nothing there. */
const OWN_WORD = { metadata: {}, items: [] };
const HTTP_NOT_FOUND = 404;

let folder: string;
/** What GlobalServices are answered with; a number is a refusal. */
let answer: object | number;
let cloudAway: boolean;
let logged: LogRecord[];
/** When GlobalServices were asked for, in seconds of a run. */
let asked: number[];
let clock: SteppedClock;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "selvedge-global-services-"));
  answer = { metadata: { resourceVersion: "9" }, items: [WEB] };
  cloudAway = false;
});
afterEach(() => rmSync(folder, { recursive: true }));

const source: Fetch = async (url, init) => {
  init.signal.throwIfAborted();
  const { pathname, searchParams } = new URL(url);
  if (searchParams.get("watch") === "true") {
    const start = (controller: ReadableStreamDefaultController) =>
      init.signal.addEventListener("abort", () => controller.error(init.signal.reason));
    return new Response(new ReadableStream<Uint8Array>({ start }));
  }
  if (pathname === PATH) asked.push(clock.now() / 1000);
  if (cloudAway) return Response.json(OWN_WORD);
  const said = pathname === PATH ? answer : { metadata: { resourceVersion: "9" }, items: [] };
  if (typeof said === "number") return Response.json({ code: said, message: "no" }, { status: said });
  return Response.json(said);
};

/** One run of the cache. @param during what happens in it, after its first lists */
async function run(
  kind: SourceKind | "none",
  during: (advance: (by: Duration) => Promise<void>) => unknown = () => {},
) {
  clock = new SteppedClock();
  logged = [];
  asked = [];
  const scope = new Scope();
  const health = new Health(
    () => clock.wall(),
    () => undefined,
  );
  const log = new Log((record) => logged.push(record), "debug");
  const store = new CacheStore(folder);
  const cache = new Cache({ store, health, metrics: new Metrics("x"), log, clock, random: () => 0.5 });
  const loaded = [...cache.load()];
  const came: ObjectChange[] = [];
  let trusted = false;
  const advance = async (by: Duration) => {
    for (let passed = 0; passed <= by; passed += 1000) {
      for (let i = 0; i < 8; i++) await new Promise(setImmediate);
      await clock.advance(milliseconds(Math.min(1000, by)));
    }
    for (let i = 0; i < 8; i++) await new Promise(setImmediate);
  };
  if (kind !== "none") {
    const endpoint = { url: "http://h", credentials: async () => ({ token: undefined, tls: undefined }) };
    const client = new KubeClient(endpoint, "selvedge/1", source, clock);
    const handlers = {
      changes: (changes: readonly ObjectChange[]) => void came.push(...changes),
      trusted: () => {
        trusted = true;
      },
      slicesWithheld: () => undefined,
    };
    cache.start({ kind, client, nodeName: "e1" }, handlers, scope);
    await advance(seconds(5));
    await during(advance);
  }
  const { connected, kinds } = cache.status();
  const conditions = health.list().map(({ code }) => code);
  await scope.close();
  const status = kinds.find((one) => one.kind === "GlobalService");
  return { loaded: loaded.map(summary), came: came.map(summary), trusted, connected, conditions, status };
}

function summary({ kind, key, value }: ObjectChange): string {
  return `${value === undefined ? "-" : "+"}${kind} ${key}`;
}

const KNOWN = ["+GlobalService shop/web"];

test("are known, and are known after a restart without the cloud", async () => {
  const { came, status } = await run("api-server");
  expect([came, status?.objectCount, status?.connected]).toEqual([KNOWN, 1, true]);
  expect((await run("none")).loaded).toEqual(KNOWN);
});

test.each([
  ["api-server", 404],
  ["api-server", 403],
  ["metaserver", 400],
  ["metaserver", 500],
  ["metaserver", OWN_WORD],
  ["yurthub", 404],
] as const)(
  "%s that has none and says %p is a source as any other: nobody is told, nothing waits",
  async (kind, says) => {
    answer = says;
    const result = await run(kind, (advance) => advance(seconds(120)));
    expect(result).toMatchObject({ came: [], trusted: true, connected: true, conditions: [] });
    expect(logged.map(({ event }) => event)).toEqual(["cache.loaded"]);
    // At once, after ten and after fifty seconds, by and large.
    expect(asked.length).toBeWithin(2, 5);
  },
);

test.each([
  ["api-server", HTTP_NOT_FOUND],
  ["metaserver", HTTP_NOT_FOUND],
  ["metaserver", OWN_WORD],
  ["yurthub", HTTP_NOT_FOUND],
] as const)("stay when %s says %p from one day on: the cloud may only be away", async (kind, says) => {
  await run(kind);
  answer = says;
  const { loaded, came, status } = await run(kind, (advance) => advance(seconds(60)));
  expect([loaded, came, status?.objectCount]).toEqual([KNOWN, [], 1]);
  expect((await run("none")).loaded).toEqual(KNOWN);
});

test("go when the cloud says that they are gone", async () => {
  await run("api-server");
  answer = { metadata: { resourceVersion: "12" }, items: [] };
  // Less than everything is believed at the second time of asking.
  const { came } = await run("api-server", (advance) => advance(seconds(15)));
  expect(came).toEqual(["-GlobalService shop/web"]);
  expect((await run("none")).loaded).toEqual([]);
});

test("are asked for as soon as the cloud is back, however rarely they were before", async () => {
  cloudAway = true;
  let back = 0;
  const { came } = await run("metaserver", async (advance) => {
    await advance(seconds(300));
    expect(asked.length).toBeWithin(3, 6);
    cloudAway = false;
    back = clock.now() / 1000;
    // Services ask once a minute at least.
    await advance(seconds(65));
  });
  expect(came).toEqual(KNOWN);
  expect(asked.filter((at) => at >= back)[0]).toBeWithin(back, back + 62);
});

test("that cannot be read are told of as any object, and the last readable state stays", async () => {
  await run("api-server");
  answer = {
    metadata: { resourceVersion: "11" },
    items: [{ ...WEB, spec: { endpoints: [{ addresses: ["here"] }] } }],
  };
  const { came, conditions, status } = await run("api-server");
  expect([came, conditions, status?.objectCount]).toEqual([[], ["OBJECTS_REJECTED"], 1]);
});
