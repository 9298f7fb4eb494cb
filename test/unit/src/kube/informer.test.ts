import { describe, expect, test } from "bun:test";
import { milliseconds } from "../../../../src/base/duration.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { type FetchInit, KubeClient } from "../../../../src/kube/client.ts";
import { Informer } from "../../../../src/kube/informer.ts";
import { CONFIG_MAPS } from "../../../../src/kube/resource.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

/** An informer of ConfigMaps, and a server that lists what it is told and watches in silence. */
class World {
  readonly clock = new SteppedClock();
  readonly scope = new Scope();
  readonly urls: string[] = [];
  readonly changes: string[] = [];
  names: readonly string[] = ["a", "b", "c"];
  statusChanges = 0;
  #watch: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly informer: Informer<string>;

  constructor() {
    const endpoint = { url: "http://h", credentials: async () => ({ token: undefined, tls: undefined }) };
    this.informer = new Informer<string>({
      client: new KubeClient(endpoint, "test", async (url, init) => this.#answer(url, init), this.clock),
      decoder: {
        resource: CONFIG_MAPS,
        decode: (json) =>
          (json as { readonly data?: string }).data === "bad"
            ? { ok: false, error: { at: "data", why: "bad" } }
            : { ok: true, value: "same" },
      },
      namespace: "n",
      labelSelector: "app=x",
      onChange: (changes) => this.changes.push(changes.map(({ key, now }) => `${now ? "+" : "-"}${key}`).join(" ")),
      onStatus: () => {
        this.statusChanges += 1;
      },
      clock: this.clock,
      random: () => 0.5,
    });
    this.informer.start(this.scope);
  }

  /** An event of the watch, about the object of that name. */
  tell(type: "MODIFIED" | "DELETED", name: string, version: number, data?: string): void {
    const metadata = { namespace: "n", name, uid: name, resourceVersion: String(version) };
    this.#watch?.enqueue(Buffer.from(`${JSON.stringify({ type, object: { metadata, data } })}\n`));
  }

  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds * 2; i++) {
      await this.clock.advance(milliseconds(500));
      // Bodies take turns of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #answer(url: string, init: FetchInit): Response {
    this.urls.push(url);
    if (!url.includes("watch=true")) {
      const items = this.names.map((name) => ({ metadata: { namespace: "n", name, uid: name, resourceVersion: "1" } }));
      return Response.json({ metadata: { resourceVersion: "1" }, items });
    }
    return new Response(
      new ReadableStream({
        start: (controller) => {
          this.#watch = controller;
          init.signal.addEventListener("abort", () => controller.error(init.signal.reason), { once: true });
        },
      }),
    );
  }
}

describe("an informer", () => {
  test("asks for the objects of its selection, and has them", async () => {
    const world = new World();
    expect(world.informer.status).toMatchObject({ synced: false, connected: false, objectCount: 0 });
    await world.pass(1);
    expect(world.changes).toEqual(["+n/a +n/b +n/c"]);
    expect(world.informer.status).toMatchObject({ kind: "ConfigMap", synced: true, connected: true, objectCount: 3 });
    expect(
      world.urls
        .map((url) => new URL(url))
        .map(({ pathname, searchParams }) => [pathname, searchParams.get("labelSelector")]),
    ).toEqual([
      ["/api/v1/namespaces/n/configmaps", "app=x"],
      ["/api/v1/namespaces/n/configmaps", "app=x"],
    ]);
    await world.scope.close();
    expect(world.clock.pending).toBe(0);
  });

  test("asks again after ten seconds when everything is suddenly gone, and believes the second list", async () => {
    const world = new World();
    await world.pass(1);
    world.names = [];
    world.informer.relist();
    await world.pass(5);
    expect(world.informer.status).toMatchObject({ objectCount: 3, heldDeletions: 3 });
    expect(world.changes).toHaveLength(1);
    await world.pass(7);
    expect(world.changes).toEqual(["+n/a +n/b +n/c", "-n/a -n/b -n/c"]);
    expect(world.informer.status).toMatchObject({ objectCount: 0, heldDeletions: 0 });
    await world.scope.close();
  });

  test.each(["MODIFIED", "DELETED"] as const)("says so when an object that could not be read is %s", async (type) => {
    const world = new World();
    await world.pass(1);
    world.tell("MODIFIED", "a", 2, "bad");
    await world.pass(1);
    expect([...world.informer.status.rejected.keys()]).toEqual(["n/a"]);
    const said = world.statusChanges;
    world.tell("MODIFIED", "b", 3);
    await world.pass(1);
    expect(world.statusChanges).toBe(said);
    world.tell(type, "a", 4);
    await world.pass(1);
    expect(world.informer.status.rejected.size).toBe(0);
    expect(world.statusChanges).toBe(said + 1);
    await world.scope.close();
  });

  test("does not ask again when they are back", async () => {
    const world = new World();
    await world.pass(1);
    world.names = [];
    world.informer.relist();
    await world.pass(5);
    world.names = ["a", "b", "c"];
    world.informer.relist();
    await world.pass(1);
    const asked = world.urls.length;
    await world.pass(30);
    expect(world.urls.length).toBe(asked);
    expect(world.changes).toHaveLength(1);
    await world.scope.close();
  });
});
