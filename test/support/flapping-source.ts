import type { Fetch, FetchInit } from "../../src/kube/client.ts";
import type { SteppedClock } from "./stepped-clock.ts";

interface Change {
  readonly path: string;
  readonly version: number;
  readonly line: Uint8Array<ArrayBuffer>;
}

interface OpenWatch {
  readonly path: string;
  readonly stream: ReadableStreamDefaultController<Uint8Array>;
}

const METADATA = { namespace: "d", name: "web", uid: "web" };
const SERVICES = "/api/v1/services";

/** An API server without sockets, with one Service, that can be away. Its watches go on where they stood. */
export class FlappingSource {
  /** When each request came, in milliseconds of the clock. */
  readonly requests: number[] = [];
  listCount = 0;
  readonly #clock: SteppedClock;
  readonly #changes: Change[] = [];
  readonly #watches = new Set<OpenWatch>();
  #version = 1;
  #clusterIP = "10.96.0.1";
  #up = true;

  constructor(clock: SteppedClock) {
    this.#clock = clock;
  }

  set up(up: boolean) {
    this.#up = up;
    if (up) return;
    for (const { stream } of this.#watches) stream.error(new Error("connection reset"));
    this.#watches.clear();
  }

  /** Gives the Service another address. */
  change(clusterIP: string): void {
    this.#version += 1;
    this.#clusterIP = clusterIP;
    const line = new TextEncoder().encode(`${JSON.stringify({ type: "MODIFIED", object: this.#service })}\n`);
    this.#changes.push({ path: SERVICES, version: this.#version, line });
    for (const { path, stream } of this.#watches) if (path === SERVICES) stream.enqueue(line);
  }

  readonly answer: Fetch = async (url, init) => {
    this.requests.push(this.#clock.now());
    if (!this.#up) throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    const { pathname, searchParams } = new URL(url);
    if (searchParams.get("watch") === "true")
      return this.#watch(pathname, Number(searchParams.get("resourceVersion")), init);
    this.listCount += 1;
    const items = pathname === SERVICES ? [this.#service] : [];
    return Response.json({ metadata: { resourceVersion: String(this.#version) }, items });
  };

  get #service() {
    return { metadata: { ...METADATA, resourceVersion: String(this.#version) }, spec: { clusterIP: this.#clusterIP } };
  }

  #watch(path: string, from: number, { signal }: FetchInit): Response {
    const start = (stream: ReadableStreamDefaultController<Uint8Array>) => {
      const watch = { path, stream };
      this.#watches.add(watch);
      for (const change of this.#changes)
        if (change.path === path && change.version > from) stream.enqueue(change.line);
      signal.addEventListener("abort", () => {
        if (this.#watches.delete(watch)) stream.error(signal.reason);
      });
    };
    return new Response(new ReadableStream({ start }));
  }
}
