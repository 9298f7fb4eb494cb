import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duration, seconds } from "../../../../src/base/duration.ts";
import type { LogRecord } from "../../../../src/base/log.ts";
import type { SourceKind } from "../../../../src/kube/trust.ts";
import type { ObjectChange } from "../../../../src/network/object-change.ts";
import { CacheLife, listsOf } from "../../../support/cache-life.ts";

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
let logged: readonly LogRecord[];
/** When GlobalServices were asked for. */
let asked: number[];
/** In seconds of a run. */
let now: () => number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "selvedge-global-services-"));
  answer = { metadata: { resourceVersion: "9" }, items: [WEB] };
  cloudAway = false;
});
afterEach(() => rmSync(folder, { recursive: true }));

/** One run of the cache. @param during what happens in it, after its first lists */
async function run(
  kind: SourceKind | "none",
  during: (advance: (by: Duration) => Promise<void>) => unknown = () => {},
) {
  asked = [];
  const life = new CacheLife(folder);
  now = () => life.clock.now() / 1000;
  const source = listsOf((path) => {
    if (path === PATH) asked.push(now());
    if (cloudAway) return OWN_WORD;
    return path === PATH ? answer : { metadata: { resourceVersion: "9" }, items: [] };
  });
  if (kind !== "none") {
    life.follow(kind, source);
    await life.advance(seconds(5));
    await during((by) => life.advance(by));
  }
  logged = life.logged;
  const { connected, kinds } = life.cache.status();
  const conditions = life.told().map(({ code }) => code);
  await life.close();
  const status = kinds.find((one) => one.kind === "GlobalService");
  const { trusted } = life;
  return { loaded: life.loaded.map(summary), came: life.came.map(summary), trusted, connected, conditions, status };
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
    back = now();
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
