import { Cache, type OwnDocuments } from "../../edge/cache/cache.ts";
import { CacheStore } from "../../edge/cache/store.ts";
import { type Duration, milliseconds } from "../../src/base/duration.ts";
import { Health } from "../../src/base/health.ts";
import { Log, type LogRecord } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { Scope } from "../../src/base/scope.ts";
import { type Fetch, KubeClient } from "../../src/kube/client.ts";
import type { SourceKind } from "../../src/kube/trust.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";
import { SteppedClock } from "./stepped-clock.ts";

const STEP_MS = 1000;

/** A source whose watches tell nothing. @param list what a list is; a number is a refusal with this status */
export function listsOf(list: (path: string, fieldSelector: string) => object | number): Fetch {
  return async (url, init) => {
    init.signal.throwIfAborted();
    const { pathname, searchParams } = new URL(url);
    if (searchParams.get("watch") === "true") {
      const start = (controller: ReadableStreamDefaultController) =>
        init.signal.addEventListener("abort", () => controller.error(init.signal.reason));
      return new Response(new ReadableStream<Uint8Array>({ start }));
    }
    const said = list(pathname, searchParams.get("fieldSelector") ?? "");
    if (typeof said === "number") return Response.json({ code: said, message: "no" }, { status: said });
    return Response.json(said);
  };
}

/** One run of the cache on a folder that outlives it, by a clock of its own. */
export class CacheLife {
  readonly clock = new SteppedClock();
  readonly health = new Health(
    () => this.clock.wall(),
    () => undefined,
  );
  readonly logged: LogRecord[] = [];
  readonly cache: Cache;
  readonly loaded: readonly ObjectChange[];
  readonly came: ObjectChange[] = [];
  trusted = false;
  readonly #scope = new Scope();

  constructor(folder: string, documents?: OwnDocuments) {
    const log = new Log((record) => this.logged.push(record), "debug");
    const [store, metrics] = [new CacheStore(folder), new Metrics("x")];
    const { health, clock } = this;
    this.cache = new Cache({ store, health, metrics, log, clock, random: () => 0.5, documents });
    this.loaded = [...this.cache.load()];
  }

  follow(kind: SourceKind, source: Fetch): void {
    const endpoint = { url: "http://h", credentials: async () => ({ token: undefined, tls: undefined }) };
    const client = new KubeClient(endpoint, "selvedge/1", source, this.clock);
    const handlers = {
      changes: (changes: readonly ObjectChange[]) => void this.came.push(...changes),
      trusted: () => {
        this.trusted = true;
      },
      slicesWithheld: () => undefined,
    };
    this.cache.start({ kind, client, nodeName: "e1" }, handlers, this.#scope);
  }

  /** Most of its sources have no Node. */
  told() {
    return this.health.list().filter(({ code }) => code !== "NODE_UNKNOWN");
  }

  /** Body readers take turns of the event loop, not only promises. */
  async advance(by: Duration): Promise<void> {
    for (let left: number = by; left >= 0; left -= STEP_MS) {
      for (let i = 0; i < 8; i++) await new Promise(setImmediate);
      await this.clock.advance(milliseconds(Math.min(STEP_MS, left)));
    }
  }

  async close(): Promise<void> {
    await this.#scope.close();
  }
}
