import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cache } from "../../../../edge/cache/cache.ts";
import { PendingWrites } from "../../../../edge/cache/pending-writes.ts";
import { CacheStore, type StoreTrouble } from "../../../../edge/cache/store.ts";
import { type Duration, milliseconds, seconds } from "../../../../src/base/duration.ts";
import { Health } from "../../../../src/base/health.ts";
import { Log } from "../../../../src/base/log.ts";
import { Metrics } from "../../../../src/base/metrics.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { type Fetch, KubeClient } from "../../../../src/kube/client.ts";
import type { ObjectChange } from "../../../../src/network/object-change.ts";
import { loadWhole } from "../../../support/loaded-store.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

let folder: string;
let clock: SteppedClock;
let scope: Scope;
let names: readonly string[];
/** The path that the source refuses. */
let refused: string;
let watches: ReadableStreamDefaultController<Uint8Array>[];
let nodeWatch: ReadableStreamDefaultController<Uint8Array> | undefined;
/** Whether there is a Node of our name. */
let registered: boolean;
let batches: string[];
let health: Health;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "selvedge-cache-"));
  clock = new SteppedClock();
  scope = new Scope();
  watches = [];
  registered = true;
  batches = [];
  refused = "";
  health = new Health(
    () => clock.wall(),
    () => undefined,
  );
});
afterEach(async () => {
  await scope.close();
  rmSync(folder, { recursive: true });
});

const item = (name: string, version = "1") => ({
  metadata: { namespace: "d", name, uid: `uid-${name}`, resourceVersion: version },
  spec: { clusterIP: "10.96.0.1" },
});

const NODE = { metadata: { name: "n", uid: "uid-n", resourceVersion: "1" } };

/** A source with services of the given names, this node, and nothing else. */
const answer: Fetch = async (url, init) => {
  init.signal.throwIfAborted();
  const { pathname, searchParams } = new URL(url);
  if (pathname === refused) return Response.json({ code: 403, message: "forbidden" }, { status: 403 });
  const services = pathname === "/api/v1/services";
  if (searchParams.get("watch") === "true") {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        if (services) watches.push(controller);
        if (pathname === "/api/v1/nodes") nodeWatch = controller;
        init.signal.addEventListener("abort", () => controller.error(init.signal.reason));
      },
    });
    return new Response(body);
  }
  const nodes = pathname === "/api/v1/nodes" && registered ? [NODE] : [];
  const items = services ? names.map((name) => item(name)) : nodes;
  return Response.json({ metadata: { resourceVersion: "9" }, items });
};

async function advance(by: Duration): Promise<void> {
  for (let i = 0; i < 8; i++) await new Promise(setImmediate);
  await clock.advance(by);
  for (let i = 0; i < 8; i++) await new Promise(setImmediate);
}

const told = () => health.list();

async function start(kind: "api-server" | "metaserver" = "api-server"): Promise<CacheStore> {
  const store = new CacheStore(folder);
  const log = new Log(() => undefined, "error");
  const cache = new Cache({ store, health, metrics: new Metrics("x"), log, clock, random: () => 0.5 });
  cache.load();
  const endpoint = { url: "http://h", credentials: async () => ({ token: undefined, tls: undefined }) };
  const client = new KubeClient(endpoint, "selvedge/1", answer, clock);
  const handlers = {
    changes: (changes: readonly ObjectChange[]) => {
      const others = changes.filter(({ kind }) => kind !== "Node");
      if (others.length === 0) return;
      batches.push(others.map((c) => `${c.value === undefined ? "-" : "+"}${c.key}`).join(" "));
    },
    trusted: () => void batches.push("trusted"),
    slicesWithheld: (withheld: boolean) => void batches.push(withheld ? "slices withheld" : "slices given"),
  };
  cache.start({ kind, client, nodeName: "n" }, handlers, scope);
  await advance(0 as Duration);
  return store;
}

async function send(type: string, ...events: readonly object[]): Promise<void> {
  const lines = events.map((object) => `${JSON.stringify({ type, object })}\n`);
  watches.at(-1)?.enqueue(new TextEncoder().encode(lines.join("")));
  await advance(0 as Duration);
}

describe("the cache", () => {
  test("asks again after ten seconds when a list is suddenly empty, and believes the second", async () => {
    names = ["a", "b"];
    await start();
    expect(batches).toEqual(["+d/a +d/b", "trusted"]);
    names = [];
    await send("ERROR", { code: 410, message: "too old" });
    await advance(seconds(30)); // half of the minute over which the lists of a fleet are spread
    expect(told().map((c) => c.code)).toEqual(["DELETIONS_HELD"]);
    await advance(seconds(9));
    expect(batches.length).toBe(2);
    await advance(seconds(2));
    expect(batches).toEqual(["+d/a +d/b", "trusted", "-d/a -d/b"]);
    expect(told()).toEqual([]);
  });

  test("takes no list for the second that comes with metaServer's watch, a moment after the first", async () => {
    names = ["a", "b"];
    await start("metaserver");
    await advance(seconds(1));
    await scope.close();
    [scope, batches, watches, names] = [new Scope(), [], [], []];
    await start("metaserver");
    for (let second = 0; second < 9; second++) await advance(seconds(1));
    expect(watches.length).toBe(1);
    expect(batches).toEqual([]);
    expect(told().map((c) => c.code)).toEqual(["DELETIONS_HELD"]);
    await advance(seconds(2));
    expect(batches).toEqual(["-d/a -d/b", "trusted"]);
    expect(told()).toEqual([]);
  });

  test("takes back that an object cannot be read as soon as it is corrected, or gone", async () => {
    names = ["a"];
    await start();
    const codes = () => told().map(({ code }) => code);
    const broken = (name: string) => ({ ...item(name, "10"), spec: { clusterIP: 7 } });
    for (const correct of [() => send("MODIFIED", item("a", "11")), () => send("DELETED", item("a", "12"))]) {
      await send("MODIFIED", broken("a"));
      expect(codes()).toEqual(["OBJECTS_REJECTED"]);
      await correct();
      expect(codes()).toEqual([]);
    }
  });

  test("tells of a node name that the source does not know as long as it does not", async () => {
    registered = false;
    await start();
    const codes = () => told().map(({ code }) => code);
    expect(codes()).toEqual(["NODE_UNKNOWN"]);
    const say = async (type: string) => {
      nodeWatch?.enqueue(Buffer.from(`${JSON.stringify({ type, object: NODE })}\n`));
      await advance(0 as Duration);
    };
    await say("ADDED");
    expect(codes()).toEqual([]);
    await say("DELETED");
    expect(codes()).toEqual(["NODE_UNKNOWN"]);
  });

  test("passes a lone change on at once, and gathers what follows for 50 ms", async () => {
    names = [];
    await start();
    await advance(seconds(1));
    batches = [];
    await send("ADDED", item("a", "10"));
    expect(batches).toEqual(["+d/a"]);
    await send("ADDED", item("b", "11"));
    await send("ADDED", item("c", "12"));
    await send("DELETED", item("b", "13"));
    expect(batches).toEqual(["+d/a"]);
    await advance(milliseconds(50));
    expect(batches).toEqual(["+d/a", "-d/b +d/c"]);
  });

  test("says that the cloud has spoken once, also when that changed nothing, and not before a held deletion", async () => {
    names = ["a", "b"];
    await start();
    await scope.close();
    [scope, batches, watches] = [new Scope(), [], []];
    await start();
    expect(batches).toEqual(["trusted"]);
    await scope.close();
    [scope, batches, watches, names] = [new Scope(), [], [], []];
    await start();
    expect(batches).toEqual([]);
    await advance(seconds(11));
    expect(batches).toEqual(["-d/a -d/b", "trusted"]);
  });

  test("does not wait for a kind that it may not see, also not to forget that the file was damaged", async () => {
    names = ["a"];
    refused = "/apis/discovery.k8s.io/v1/endpointslices";
    writeFileSync(join(folder, "cache.db"), "x".repeat(4096));
    await start();
    await advance(milliseconds(50));
    expect(batches).toEqual(["+d/a", "trusted"]);
    expect(told().map((c) => c.code)).toEqual(["SOURCE_REFUSED"]);
  });

  test("asks for everything again, and writes it, once the file was found damaged in use", async () => {
    names = ["a", "b"];
    const store = await start();
    await advance(seconds(2));
    // What no write of this run would bring back by itself.
    store.write({ ...new PendingWrites().take(), objects: new Map([["Service d/b", undefined]]) });
    let repaired: StoreTrouble | undefined = { code: "CACHE_CORRUPT", message: "", hint: "" };
    store.takeRepaired = () => {
      const trouble = repaired;
      repaired = undefined;
      return trouble;
    };
    names = ["a", "b", "c"];
    refused = "/api/v1/services";
    await send("ADDED", item("c"));
    await advance(seconds(2));
    expect(told().map(({ code }) => code)).toContain("CACHE_CORRUPT");
    refused = "";
    await advance(seconds(5));
    expect(told()).toEqual([]);
    expect(batches.filter((batch) => batch === "trusted").length).toBe(1);
    await advance(seconds(2));
    await scope.close();
    scope = new Scope();
    const onDisk = new CacheStore(folder);
    expect(
      loadWhole(onDisk)
        .state.objects.map(({ key }) => key)
        .toSorted(),
    ).toEqual(["d/a", "d/b", "d/c", "n"]);
    onDisk.close();
  });

  test("tells when slices are refused again after Endpoints were given, and when they are given", async () => {
    names = ["a"];
    refused = "/apis/discovery.k8s.io/v1/endpointslices";
    await start();
    await advance(milliseconds(50));
    expect(batches).toEqual(["+d/a", "trusted"]);
    await advance(seconds(1));
    expect(batches.at(-1)).toBe("slices withheld");
    expect(told().map((c) => c.code)).toEqual(["ENDPOINT_SLICES_WITHHELD"]);
    refused = "";
    await advance(seconds(5));
    expect(batches.at(-1)).toBe("slices given");
    expect(told()).toEqual([]);
  });
});
