/** A Service as text of the API, with what metaServer needs to know of it. */
export interface MetaObject {
  readonly kind: "Service";
  readonly apiVersion: "v1";
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly spec: object;
}

interface OpenWatch {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** The node's highest version when the watch began: what is not above it by more than one is dropped. */
  readonly since: number;
  /** Byte-identical watches share one registration in the cloud. */
  readonly registration: string;
}

/**
 * Behaves as edgecore's metaServer was measured to: online a list is the cloud's, offline it is the node's rows with the
 * storage key as selfLink, or an empty 200; a watch begins with every row, ghosts included, whatever version was asked
 * for; deletions in the cloud while offline never reach the rows; events that are not new enough are dropped; there are
 * no bookmarks; while a dead link is unnoticed every call stalls.
 */
export class FakeMetaServer {
  readonly cloud = new Map<string, MetaObject>();
  readonly rows = new Map<string, MetaObject>();
  readonly requests: string[] = [];
  online = true;
  /** Awaited by each call while the link is dead and nobody has noticed. */
  stall: Promise<void> | undefined;
  #version = 1000;
  readonly #watches = new Set<OpenWatch>();
  readonly #server: Bun.Server<undefined>;

  constructor() {
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: (request) => this.#answer(new URL(request.url)),
    });
  }

  get url(): string {
    return this.#server.url.href.replace(/\/$/, "");
  }

  get watchCount(): number {
    return this.#watches.size;
  }

  put(name: string, clusterIP: string): void {
    this.#version += 2;
    const key = `d/${name}`;
    const object: MetaObject = {
      kind: "Service",
      apiVersion: "v1",
      metadata: { namespace: "d", name, uid: `uid-${name}`, resourceVersion: String(this.#version) },
      spec: { clusterIP },
    };
    const type = this.cloud.has(key) ? "MODIFIED" : "ADDED";
    this.cloud.set(key, object);
    if (this.online) this.#deliver(type, object);
  }

  remove(name: string): void {
    this.#version += 2;
    const object = this.cloud.get(`d/${name}`);
    if (object === undefined) throw new Error(`there is no ${name}`);
    this.cloud.delete(`d/${name}`);
    if (!this.online) return;
    this.#deliver("DELETED", { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } });
  }

  /** The link comes back: updates are repaired, deletions are not. */
  join(): void {
    this.online = true;
    for (const [key, object] of this.cloud) if (this.rows.get(key) !== object) this.#deliver("MODIFIED", object);
  }

  endWatches(): void {
    for (const watch of this.#watches) watch.controller.close();
    this.#watches.clear();
  }

  async close(): Promise<void> {
    this.endWatches();
    await this.#server.stop(true);
  }

  #deliver(type: string, object: MetaObject): void {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    if (type === "DELETED") this.rows.delete(key);
    else this.rows.set(key, object);
    for (const watch of this.#watches) {
      if (Number(object.metadata.resourceVersion) > watch.since + 1) send(watch.controller, { type, object });
    }
  }

  async #answer(url: URL): Promise<Response> {
    this.requests.push(url.pathname + url.search);
    await this.stall;
    if (url.pathname !== "/api/v1/services") return Response.json({ kind: "GuessedList", metadata: {}, items: [] });
    return url.searchParams.get("watch") === "true" ? this.#watch(url.search) : this.#list();
  }

  #list(): Response {
    if (this.online) {
      const metadata = { resourceVersion: String(this.#version) };
      return Response.json({ kind: "ServiceList", apiVersion: "v1", metadata, items: [...this.cloud.values()] });
    }
    const items = [...this.rows.values()];
    // The kind is guessed from the resource's word, and is wrong for many.
    const metadata =
      items.length === 0 ? {} : { resourceVersion: String(this.#stored), selfLink: "/core/v1/services/null/null" };
    return Response.json({ kind: "GuessedList", apiVersion: "v1", metadata, items });
  }

  get #stored(): number {
    return Math.max(0, ...[...this.rows.values()].map((row) => Number(row.metadata.resourceVersion)));
  }

  #watch(registration: string): Response {
    let watch: OpenWatch | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode("\n"));
        for (const object of this.rows.values()) send(controller, { type: "ADDED", object });
        watch = { controller, since: this.#stored, registration };
        this.#watches.add(watch);
        if (!this.online) return;
        // A watch makes the cloud send what there is, one by one.
        for (const [key, object] of this.cloud) if (this.rows.get(key) !== object) this.#deliver("MODIFIED", object);
      },
      cancel: () => {
        if (watch === undefined) return;
        this.#watches.delete(watch);
        for (const twin of this.#watches) if (twin.registration === registration) this.#watches.delete(twin);
      },
    });
    return new Response(body);
  }
}

function send(controller: ReadableStreamDefaultController<Uint8Array>, event: object): void {
  controller.enqueue(new TextEncoder().encode(`${JSON.stringify(event)}\n`));
}
