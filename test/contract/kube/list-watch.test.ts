import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hub } from "../../../cloud/hub/hub.ts";
import { Log } from "../../../src/base/log.ts";
import { Scope } from "../../../src/base/scope.ts";
import type { KubeEndpoint } from "../../../src/kube/client.ts";
import { openSource } from "../../../src/kube/source.ts";
import type { SourceKind } from "../../../src/kube/trust.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { Follower } from "./follower.ts";
import { FakeMetaServer } from "./meta-server.ts";

/** Something that can be listed and watched, and changed from outside. */
interface Source {
  readonly kind: SourceKind;
  readonly endpoint: KubeEndpoint;
  put(name: string, clusterIp: string): Promise<void>;
  remove(name: string): Promise<void>;
  close(): Promise<void>;
}

const anonymous = (url: string): KubeEndpoint => ({
  url,
  credentials: async () => ({ token: undefined, tls: undefined }),
});

async function hubSource(): Promise<Source> {
  const folder = mkdtempSync(join(tmpdir(), "selvedge-hub-"));
  const scope = new Scope();
  const hub = await Hub.start(
    {
      folder,
      listen: { hostname: "127.0.0.1", port: 0 },
      version: "test",
      clock: new SystemClock(),
      log: new Log(() => undefined, "error"),
    },
    scope,
  );
  const file = (name: string) => join(folder, `${name}.json`);
  return {
    kind: "hub",
    endpoint: anonymous(hub.url.href.replace(/\/$/, "")),
    put: async (name, clusterIP) => {
      const object = { apiVersion: "v1", kind: "Service", metadata: { namespace: "d", name }, spec: { clusterIP } };
      writeFileSync(file(name), JSON.stringify(object));
    },
    remove: async (name) => rmSync(file(name)),
    close: async () => {
      await scope.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function metaSource(): Promise<Source> {
  const server = new FakeMetaServer();
  return {
    kind: "metaserver",
    endpoint: anonymous(server.url),
    put: async (name, clusterIp) => server.put(name, clusterIp),
    remove: async (name) => server.remove(name),
    close: () => server.close(),
  };
}

const NOT_NAMED = {
  ...{ url: undefined, caFile: undefined, certFile: undefined, keyFile: undefined, tokenFile: undefined },
  insecure: false,
};

/** A real API server, named by SELVEDGE_TEST_KUBECONFIG, whose service range holds 10.96.0.0/16. */
async function apiServerSource(kubeconfig: string): Promise<Source> {
  const endpoint = await openSource({ ...NOT_NAMED, kubeconfig }, {}, (path) => readFile(path, "utf8"));
  const call = async (method: string, path: string, body?: object) => {
    const { token, tls } = await endpoint.credentials();
    const response = await fetch(endpoint.url + path, {
      method,
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(tls === undefined ? {} : { tls: { ...tls, rejectUnauthorized: tls.insecure !== true } }),
    });
    if (!response.ok && response.status !== 409) throw new Error(`${method} ${path}: ${await response.text()}`);
    return response.status;
  };
  const services = "/api/v1/namespaces/d/services";
  await call("POST", "/api/v1/namespaces", { metadata: { name: "d" } });
  return {
    kind: "api-server",
    endpoint,
    put: async (name, clusterIP) => {
      const object = { metadata: { name }, spec: { clusterIP, ports: [{ port: 80 }] } };
      // A service's address cannot be changed, so it is made again.
      if ((await call("POST", services, object)) !== 409) return;
      await call("DELETE", `${services}/${name}`);
      await call("POST", services, object);
    },
    remove: async (name) => void (await call("DELETE", `${services}/${name}`)),
    close: async () => undefined,
  };
}

const KUBECONFIG = process.env["SELVEDGE_TEST_KUBECONFIG"];
const SOURCES: readonly (readonly [string, () => Promise<Source>])[] = [
  ["the hub", hubSource],
  ["a metaServer", metaSource],
  ...(KUBECONFIG === undefined ? [] : [["the API server", () => apiServerSource(KUBECONFIG)] as const]),
];

describe.each(SOURCES)("a list-watch of %s", (_name, open) => {
  let source: Source;
  let follower: Follower;
  beforeEach(async () => {
    source = await open();
    await source.put("a", "10.96.7.1");
    follower = new Follower(source.kind, source.endpoint, "d/");
    await follower.sees("d/a 10.96.7.1");
  });
  afterEach(async () => {
    await follower.close();
    for (const key of follower.view) await source.remove(key.slice(2, key.indexOf(" "))).catch(() => undefined);
    await source.close();
  });

  test("sees objects come, change and go", async () => {
    await source.put("b", "10.96.7.2");
    await follower.sees("d/a 10.96.7.1", "d/b 10.96.7.2");
    await source.put("a", "10.96.7.3");
    await follower.sees("d/a 10.96.7.3", "d/b 10.96.7.2");
    await source.remove("b");
    await follower.sees("d/a 10.96.7.3");
    expect(follower.events.find((event) => event.type === "state")).toMatchObject({ connected: true });
    // A metaServer's watch says nothing of what came just before it, so there is a list beside it.
    expect(follower.count("list")).toBeLessThanOrEqual(source.kind === "metaserver" ? 2 : 1);
  });

  test("asked for a list, says the same again", async () => {
    follower.listWatch.relist();
    await waitFor("a second list", () => follower.count("list") === 2);
    expect(follower.view).toEqual(["d/a 10.96.7.1"]);
    await source.put("b", "10.96.7.2");
    await follower.sees("d/a 10.96.7.1", "d/b 10.96.7.2");
  });
});

describe("a list-watch of a metaServer that is cut off", () => {
  let server: FakeMetaServer;
  let follower: Follower;
  beforeEach(async () => {
    server = new FakeMetaServer();
    server.put("a", "10.96.7.1");
    server.put("ghost", "10.96.7.2");
    follower = new Follower("metaserver", anonymous(server.url), "d/");
    await follower.sees("d/a 10.96.7.1", "d/ghost 10.96.7.2");
    await waitFor("the watch", () => server.rows.size === 2);
    server.online = false;
    server.remove("ghost");
  });
  afterEach(async () => {
    await follower.close();
    await server.close();
  });

  const lists = () => follower.events.filter((event) => event.type === "list").map((event) => event.authoritative);

  test("does not take its own rows for the cloud's word, and does when the cloud is back", async () => {
    follower.listWatch.relist();
    await waitFor("an untrusted list", () => lists().length === 2);
    expect(lists()).toEqual([true, false]);
    expect(follower.events.findLast((event) => event.type === "state")).toMatchObject({ connected: false });
    server.join();
    follower.listWatch.relist();
    await waitFor("a trusted list", () => lists().length === 3);
    expect(lists()).toEqual([true, false, true]);
    const last = follower.events.findLast((event) => event.type === "list");
    expect(last?.items.map((item) => item.key)).toEqual(["d/a"]);
  });

  test("does not take nothing for the cloud's word", async () => {
    server.rows.clear();
    follower.listWatch.relist();
    await waitFor("an untrusted list", () => lists().length === 2);
    expect(lists()).toEqual([true, false]);
    expect(follower.view.length).toBe(2);
  });

  test("marks what a watch begins with as replay", async () => {
    server.join();
    const before = follower.events.length;
    follower.listWatch.relist();
    const isGhost = (event: (typeof follower.events)[number]) =>
      event.type === "upsert" && event.object.key === "d/ghost" && event.origin === "replay";
    await waitFor("the ghost", () => follower.events.slice(before).some(isGhost));
  });

  test("waits for a call that stalls, and tells nobody anything meanwhile", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    server.stall = promise;
    const [events, requests] = [follower.events.length, server.requests.length];
    follower.listWatch.relist();
    await waitFor("the call", () => server.requests.length === requests + 1);
    expect(follower.events.length).toBe(events);
    resolve();
    await waitFor("the list", () => lists().length === 2);
  });

  test("never asks for the same watch twice running", async () => {
    server.join();
    for (let i = 0; i < 5; i++) {
      const asked = server.requests.length;
      follower.listWatch.relist();
      await waitFor("another watch", () => server.requests.slice(asked).some((r) => r.includes("watch=true")));
    }
    const watches = server.requests.filter((request) => request.includes("watch=true"));
    for (const [i, watch] of watches.entries()) expect(watch).not.toBe(watches[i - 1] ?? "");
  });
});
