import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cache } from "../../edge/cache/cache.ts";
import { PendingWrites } from "../../edge/cache/pending-writes.ts";
import { CacheStore } from "../../edge/cache/store.ts";
import { Health } from "../../src/base/health.ts";
import { Log } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { Scope } from "../../src/base/scope.ts";
import { type Fetch, KubeClient } from "../../src/kube/client.ts";
import { SystemClock } from "../../src/linux/system-clock.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";

/**
 * What the cache takes: to sync first, to load after a restart, to write one batch, and in memory; each for 1,000 and
 * 10,000 services with one slice of two endpoints. The objects carry what real ones carry and nobody reads. Ours runs
 * under bun, not compiled; the source is a program of its own.
 *
 * test/bench/cache.ts [--json]
 */
const realFetch: Fetch = (url, init) => fetch(url, init as RequestInit);

const IGNORED = {
  managedFields: [
    { manager: "kube-controller-manager", operation: "Update", fieldsV1: { "f:spec": { "f:ports": {} } } },
  ],
  annotations: { "kubectl.kubernetes.io/last-applied-configuration": "x".repeat(400) },
};

function service(i: number) {
  const metadata = { namespace: `ns-${i % 100}`, name: `svc-${i}`, uid: `uid-s-${i}`, resourceVersion: String(i + 1) };
  const clusterIP = `10.96.${i >> 8}.${i & 255}`;
  const ports = [{ name: "http", port: 80, protocol: "TCP", targetPort: 8080 }];
  const spec = { type: "ClusterIP", clusterIP, clusterIPs: [clusterIP], selector: { app: `svc-${i}` }, ports };
  return { metadata: { ...metadata, ...IGNORED }, spec, status: { loadBalancer: {} } };
}

function slice(i: number) {
  const labels = { "kubernetes.io/service-name": `svc-${i}` };
  const metadata = {
    namespace: `ns-${i % 100}`,
    name: `svc-${i}-x`,
    uid: `uid-e-${i}`,
    resourceVersion: String(i + 1),
  };
  const endpoints = [129, 130].map((net) => ({
    addresses: [`10.${net}.${i >> 8}.${i & 255}`],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: "node2",
    zone: "z1",
    targetRef: { kind: "Pod", name: `svc-${i}-abc`, uid: "u" },
  }));
  const ports = [{ name: "http", port: 8080, protocol: "TCP" }];
  return { metadata: { ...metadata, labels, ...IGNORED }, addressType: "IPv4", ports, endpoints };
}

function serveObjects(count: number): string {
  const list = (items: readonly object[]) => JSON.stringify({ metadata: { resourceVersion: "1000000" }, items });
  const bodies = new Map([
    ["/api/v1/services", list(Array.from({ length: count }, (_, i) => service(i)))],
    ["/apis/discovery.k8s.io/v1/endpointslices", list(Array.from({ length: count }, (_, i) => slice(i)))],
  ]);
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: ({ url }) => {
      const { pathname, searchParams } = new URL(url);
      if (searchParams.get("watch") === "true")
        return new Response(new ReadableStream({ pull: () => Bun.sleep(60_000) }));
      return new Response(bodies.get(pathname) ?? list([]));
    },
  });
  return server.url.href.replace(/\/$/, "");
}

function openCache(folder: string) {
  const clock = new SystemClock();
  const health = new Health(
    () => clock.wall(),
    () => undefined,
  );
  const log = new Log(() => undefined, "error");
  const store = new CacheStore(folder);
  return new Cache({ store, health, metrics: new Metrics("x"), log, clock, random: Math.random });
}

function rssBytes(): number {
  Bun.gc(true);
  return process.memoryUsage().rss;
}

/** One run in a program of its own, so that memory is its own. */
async function measure(phase: string, folder: string, url: string): Promise<Record<string, number>> {
  const before = rssBytes();
  const began = performance.now();
  const cache = openCache(folder);
  const loaded = cache.load();
  const loadMs = performance.now() - began;
  if (phase === "load") return { loadMs, objects: loaded.length, rssMb: (rssBytes() - before) / 1e6 };
  const scope = new Scope();
  const endpoint = { url, credentials: async () => ({ token: undefined, tls: undefined }) };
  const client = new KubeClient(endpoint, "selvedge/bench", realFetch, new SystemClock());
  let changes = 0;
  const started = performance.now();
  const handlers = {
    changes: (batch: readonly ObjectChange[]) => {
      changes += batch.length;
    },
    trusted: () => undefined,
    slicesWithheld: () => undefined,
  };
  cache.start({ kind: "api-server", client, nodeName: "n" }, handlers, scope);
  while (!cache.status().connected) await Bun.sleep(1);
  const syncMs = performance.now() - started;
  const rssMb = (rssBytes() - before) / 1e6;
  const closing = performance.now();
  await scope.close();
  return { syncMs, changes, rssMb, writeAllMs: performance.now() - closing };
}

function writeBatches(folder: string, size: number): number {
  const store = new CacheStore(folder);
  store.load(() => undefined);
  const times = Array.from({ length: 200 }, (_, round) => {
    const pending = new PendingWrites();
    for (let n = 0; n < size; n++) {
      const i = (round * size + n) % 1000;
      const { metadata, ...rest } = slice(i);
      const body = JSON.stringify({ ...rest, round });
      const key = `${metadata.namespace}/${metadata.name}`;
      pending.putObject({ kind: "EndpointSlice", key, uid: metadata.uid, resourceVersion: String(round), body });
    }
    const began = performance.now();
    store.write(pending.take());
    return performance.now() - began;
  }).sort((a, b) => a - b);
  store.close();
  return times[100] ?? 0;
}

async function main(): Promise<void> {
  const [phase = "", folder = "", url = ""] = process.argv.slice(2);
  if (phase === "load" || phase === "sync" || phase === "again") {
    process.stdout.write(JSON.stringify(await measure(phase, folder, url)));
    return process.exit(0);
  }
  const results: Record<string, number | string>[] = [];
  for (const count of [1000, 10_000]) {
    const home = mkdtempSync(join(tmpdir(), "selvedge-bench-"));
    const server = Bun.spawn([process.execPath, import.meta.path, "serve", String(count)], { stdout: "pipe" });
    const { value } = await server.stdout.getReader().read();
    const where = new TextDecoder().decode(value).trim();
    const child = (name: string) => {
      const { stdout } = Bun.spawnSync([process.execPath, import.meta.path, name, home, where]);
      return JSON.parse(stdout.toString()) as Record<string, number>;
    };
    const [sync, again, load] = [child("sync"), child("again"), child("load")];
    const fileMb = statSync(join(home, "cache.db")).size / 1e6;
    const batchMs = { one: writeBatches(home, 1), hundred: writeBatches(home, 100) };
    server.kill();
    rmSync(home, { recursive: true });
    results.push({
      services: count,
      first_sync_ms: Math.round(sync["syncMs"] ?? 0),
      write_all_ms: Math.round(sync["writeAllMs"] ?? 0),
      memory_after_sync_mb: Math.round(sync["rssMb"] ?? 0),
      relist_without_change_ms: Math.round(again["syncMs"] ?? 0),
      changes_of_that_relist: again["changes"] ?? -1,
      load_ms: Math.round((load["loadMs"] ?? 0) * 10) / 10,
      memory_after_load_mb: Math.round(load["rssMb"] ?? 0),
      file_mb: Math.round(fileMb * 10) / 10,
      write_1_ms: Math.round(batchMs.one * 1000) / 1000,
      write_100_ms: Math.round(batchMs.hundred * 100) / 100,
    });
  }
  if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(results)}\n`);
  else console.table(results);
}

if (process.argv[2] === "serve") process.stdout.write(`${serveObjects(Number(process.argv[3]))}\n`);
else await main();
