import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cache } from "../../../edge/cache/cache.ts";
import { CacheStore } from "../../../edge/cache/store.ts";
import { Health } from "../../../src/base/health.ts";
import { Log } from "../../../src/base/log.ts";
import { Metrics } from "../../../src/base/metrics.ts";
import { Scope } from "../../../src/base/scope.ts";
import { type Fetch, KubeClient } from "../../../src/kube/client.ts";
import type { SourceKind } from "../../../src/kube/trust.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import type { ObjectChange } from "../../../src/network/object-change.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { FakeMetaServer } from "../kube/meta-server.ts";

const realFetch: Fetch = (url, init) => fetch(url, init as RequestInit);

/** A run of the agent's cache: everything but the rest of the agent. */
class Run {
  readonly batches: (readonly ObjectChange[])[] = [];
  readonly health: Health;
  readonly metrics = new Metrics("selvedge");
  readonly cache: Cache;
  readonly loaded: readonly ObjectChange[];
  readonly #scope = new Scope();
  readonly #clock = new SystemClock();

  constructor(folder: string) {
    this.health = new Health(
      () => this.#clock.wall(),
      () => undefined,
    );
    this.cache = new Cache({
      store: new CacheStore(folder),
      health: this.health,
      metrics: this.metrics,
      log: new Log(() => undefined, "error"),
      clock: this.#clock,
      random: Math.random,
    });
    this.loaded = this.cache.load();
  }

  start(url: string, kind: SourceKind): void {
    const endpoint = { url, credentials: async () => ({ token: undefined, tls: undefined }) };
    const client = new KubeClient(endpoint, "selvedge/test", realFetch, this.#clock);
    const handlers = {
      changes: (changes: readonly ObjectChange[]) => void this.batches.push(changes),
      trusted: () => undefined,
      slicesWithheld: () => undefined,
    };
    this.cache.start({ kind, client, nodeName: "edge-1" }, handlers, this.#scope);
  }

  /** The services as the changes add up. */
  get services(): string {
    const services = new Map<string, string>();
    for (const change of [this.loaded, ...this.batches].flat()) {
      if (change.kind !== "Service") continue;
      if (change.value === undefined) services.delete(change.key);
      else services.set(change.key, change.value.clusterIps.join());
    }
    return [...services]
      .map(([key, ip]) => `${key} ${ip}`)
      .sort()
      .join(", ");
  }

  get codes(): readonly string[] {
    return this.health.list().map((condition) => `${condition.severity} ${condition.code}`);
  }

  kind(kind: string) {
    const status = this.cache.status().kinds.find((k) => k.kind === kind);
    if (status === undefined) throw new Error(`no ${kind}`);
    return status;
  }

  stop(): Promise<void> {
    return this.#scope.close();
  }
}

let folder: string;
let run: Run | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "selvedge-cache-"));
});
afterEach(async () => {
  await run?.stop();
  run = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function restart(): Run {
  run = new Run(folder);
  return run;
}

describe("the cache on a metaServer", () => {
  let server: FakeMetaServer;
  beforeEach(() => {
    server = new FakeMetaServer();
    server.put("a", "10.96.7.1");
    server.put("b", "10.96.7.2");
  });
  afterEach(() => server.close());

  test("is there after a restart without any source, and says how old it is", async () => {
    const first = restart();
    expect(first.loaded).toEqual([]);
    first.start(server.url, "metaserver");
    await waitFor("both", () => first.services === "d/a 10.96.7.1, d/b 10.96.7.2");
    await first.stop();
    const second = restart();
    expect(second.services).toBe("d/a 10.96.7.1, d/b 10.96.7.2");
    second.start("http://127.0.0.1:1", "metaserver");
    await waitFor("the condition", () => second.codes.join() === "info SOURCE_UNREACHABLE");
    expect(second.kind("Service")).toMatchObject({ objectCount: 2, connected: false });
    expect(second.kind("Service").lastTrustedList).toBeGreaterThan(Date.now() - 60_000);
    expect(second.metrics.render()).toContain("selvedge_cloud_connected 0");
    expect(second.metrics.render()).toContain('selvedge_cache_objects{kind="Service"} 2');
    expect(second.batches).toEqual([]);
  });

  test("keeps ghosts dead, online, offline and over restarts", async () => {
    const first = restart();
    first.start(server.url, "metaserver");
    await waitFor("both", () => first.services === "d/a 10.96.7.1, d/b 10.96.7.2" && server.watchCount === 1);
    server.online = false;
    server.remove("b");
    server.online = true;
    await first.stop();

    const second = restart();
    second.start(server.url, "metaserver");
    await waitFor("only one", () => second.services === "d/a 10.96.7.1");
    await waitFor("the watch, ghost included", () => server.watchCount === 1);
    await second.stop();

    server.online = false;
    const third = restart();
    third.start(server.url, "metaserver");
    await waitFor("an untrusted list, ghost included", () => third.kind("Service").error?.code === "KUBE_CLOUD_ABSENT");
    expect(server.rows.has("d/b")).toBe(true);
    expect(third.services).toBe("d/a 10.96.7.1");
    expect(third.batches).toEqual([]);
  });

  test("an object that came and went since the last list stays dead although its row comes back", async () => {
    const first = restart();
    first.start(server.url, "metaserver");
    await waitFor("both", () => first.services === "d/a 10.96.7.1, d/b 10.96.7.2" && server.watchCount === 1);
    server.put("c", "10.96.7.3");
    await waitFor("three", () => first.services.includes("d/c"));
    const row = server.rows.get("d/c");
    server.remove("c");
    await waitFor("two", () => !first.services.includes("d/c"));
    await first.stop();
    if (row !== undefined) server.rows.set("d/c", row);
    server.online = false;
    const second = restart();
    second.start(server.url, "metaserver");
    await waitFor("the list", () => second.kind("Service").error !== undefined);
    expect(second.services).toBe("d/a 10.96.7.1, d/b 10.96.7.2");
    expect(second.batches).toEqual([]);
  });

  test("another source's objects are not measured by the last one's versions", async () => {
    for (let i = 0; i < 50; i++) server.put("a", "10.96.7.1");
    const first = restart();
    first.start(server.url, "metaserver");
    await waitFor("both", () => first.services === "d/a 10.96.7.1, d/b 10.96.7.2" && server.watchCount === 1);
    await first.stop();
    const other = new FakeMetaServer();
    other.put("a", "10.96.9.9");
    other.put("c", "10.96.7.3");
    for (const [key, object] of other.cloud) other.rows.set(key, object);
    other.online = false;
    const second = restart();
    second.start(other.url, "metaserver");
    const services = "d/a 10.96.9.9, d/b 10.96.7.2, d/c 10.96.7.3";
    await waitFor("the other's objects", () => second.services === services);
    await second.stop();
    const third = restart();
    expect(third.services).toBe(services);
    third.start(other.url, "metaserver");
    await waitFor("the list", () => third.kind("Service").error !== undefined);
    expect(third.services).toBe(services);
    await third.stop();
    await other.close();
  });

  test("an empty list is not believed at once", async () => {
    const first = restart();
    first.start(server.url, "metaserver");
    await waitFor("both", () => first.services === "d/a 10.96.7.1, d/b 10.96.7.2");
    await first.stop();
    server.cloud.clear();
    server.rows.clear();
    const second = restart();
    second.start(server.url, "metaserver");
    await waitFor("the suspicion", () => second.codes.includes("info DELETIONS_HELD"));
    expect(second.services).toBe("d/a 10.96.7.1, d/b 10.96.7.2");
    expect(second.batches).toEqual([]);
  });

  test("a lone change passes at once, and thousands come in a few batches", async () => {
    for (let i = 0; i < 3000; i++) server.put(`s${i}`, `10.97.${i >> 8}.${i & 255}`);
    const first = restart();
    first.start(server.url, "metaserver");
    await waitFor("all", () => first.kind("Service").objectCount === 3002 && server.watchCount === 1);
    expect(first.batches.flat().length).toBe(3002);
    expect(first.batches.length).toBeLessThan(10);
  });
});

/** A source whose body for the list of services is whatever a test wants. */
function sourceOf(services: () => string | ReadableStream<Uint8Array>) {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: (request) => {
      const { pathname, searchParams } = new URL(request.url);
      if (searchParams.get("watch") === "true")
        return new Response(new ReadableStream({ pull: () => Bun.sleep(60_000) }));
      if (pathname === "/api/v1/services") return new Response(services());
      return Response.json({ metadata: { resourceVersion: "1" }, items: [] });
    },
  });
}

const item = (name: string, more: object = {}) => ({
  metadata: { name, namespace: "d", uid: `uid-${name}`, resourceVersion: "5", ...more },
  spec: { clusterIP: "10.96.7.1" },
});

describe("the cache on a source that goes wrong", () => {
  test.each([
    ["garbage", () => "<html>504 Gateway Timeout</html>", "KUBE_BAD_RESPONSE"],
    [
      "a list that is cut short",
      () => '{"metadata":{"resourceVersion":"9"},"items":[{"metadata":',
      "KUBE_BAD_RESPONSE",
    ],
    ["another kind of answer", () => '{"status":"ok"}', "KUBE_BAD_RESPONSE"],
  ])("%s changes nothing and is a condition", async (_what, body, code) => {
    const server = sourceOf(() => JSON.stringify({ metadata: { resourceVersion: "9" }, items: [item("a")] }));
    const first = restart();
    first.start(server.url.href.replace(/\/$/, ""), "api-server");
    await waitFor("one", () => first.services === "d/a 10.96.7.1");
    await first.stop();
    await server.stop(true);
    const broken = sourceOf(body);
    const second = restart();
    second.start(broken.url.href.replace(/\/$/, ""), "api-server");
    await waitFor("the error", () => second.kind("Service").error?.code === code);
    expect(second.codes).toContain("degraded SOURCE_REFUSED");
    expect(second.batches).toEqual([]);
    expect(second.services).toBe("d/a 10.96.7.1");
    await broken.stop(true);
  });

  test("an object of 10 MB is passed over and named, and the others are served", async () => {
    const text = (part: string) => new TextEncoder().encode(part);
    const begin = `{"metadata":{"resourceVersion":"9"},"items":[${JSON.stringify(item("a"))},`;
    const filler = text("x".repeat(1024 * 1024));
    const server = sourceOf(() => {
      let sent = 0;
      return new ReadableStream<Uint8Array>({
        pull: (controller) => {
          if (sent === 0) {
            controller.enqueue(text(`${begin}{"metadata":{"name":"big","namespace":"d"},"spec":{"externalName":"`));
          } else if (sent <= 10) controller.enqueue(filler);
          else {
            controller.enqueue(text(`"}},${JSON.stringify(item("b"))}]}`));
            controller.close();
          }
          sent += 1;
        },
      });
    });
    const first = restart();
    first.start(server.url.href.replace(/\/$/, ""), "api-server");
    await waitFor("both", () => first.services === "d/a 10.96.7.1, d/b 10.96.7.1");
    const { rejectedCount, rejected } = first.kind("Service");
    expect([rejectedCount, rejected[0]?.key]).toEqual([1, "d/big"]);
    expect(rejected[0]?.why).toMatch(/^too large: 104\d{5} bytes$/);
    expect(first.codes).toContain("degraded OBJECTS_REJECTED");
    await server.stop(true);
  });

  test("objects of the wrong shape are passed over, also thousands of them", async () => {
    const items = Array.from({ length: 2000 }, (_, i) => ({ ...item(`x${i}`), spec: { ports: "http" } }));
    const server = sourceOf(() => JSON.stringify({ metadata: { resourceVersion: "9" }, items: [item("a"), ...items] }));
    const first = restart();
    first.start(server.url.href.replace(/\/$/, ""), "api-server");
    await waitFor("one", () => first.services === "d/a 10.96.7.1");
    expect(first.kind("Service").rejectedCount).toBe(2000);
    expect(first.kind("Service").rejected.length).toBe(100);
    await server.stop(true);
  });
});
