import type { Clock } from "../../src/base/clock.ts";
import { SelvedgeError } from "../../src/base/errors.ts";
import { listenEverywhere } from "../../src/linux/listen-everywhere.ts";
import { answerDiscovery, answerList, formatEvent, statusOf, watchLine } from "./answer.ts";
import { objectId } from "./manifests.ts";
import type { ObjectLog } from "./object-log.ts";
import type { HubEvent } from "./plan.ts";
import { type HubRequest, parseRequest, type RequestError } from "./request.ts";
import { Watcher } from "./watcher.ts";

/** Watches at once: each edge node has seven, for its services and endpoints, itself and its two documents. */
export const WATCHES_MAX = 20_000;
type WatchRequest = Extract<HubRequest, { kind: "watch" }>;

/** Serves an object log over the Kubernetes list and watch protocol, reading only. */
export class HubServer {
  readonly #log: ObjectLog;
  readonly #version: string;
  readonly #clock: Clock;
  readonly #watchers = new Set<Watcher>();
  readonly #server: Bun.Server<undefined>;

  /** Throws HUB_LISTEN when the address cannot be had. */
  constructor(
    log: ObjectLog,
    listen: { readonly hostname: string; readonly port: number },
    version: string,
    clock: Clock,
  ) {
    this.#log = log;
    this.#version = version;
    this.#clock = clock;
    try {
      this.#server = listenEverywhere(listen.hostname, (hostname) =>
        Bun.serve({
          hostname,
          port: listen.port,
          // Watches are quiet for longer than Bun's ten seconds.
          idleTimeout: 0,
          fetch: (request) => this.#answer(request),
        }),
      );
    } catch (cause) {
      throw new SelvedgeError(`Cannot listen on ${listen.hostname}:${listen.port} as the address cannot be had`, {
        code: "HUB_LISTEN",
        blame: "user",
        retry: "later",
        hint: "Choose an address of this machine and a port that nobody else listens on.",
        cause,
      });
    }
  }

  get url(): URL {
    return this.#server.url;
  }

  get watchCount(): number {
    return this.#watchers.size;
  }

  /** Tells every watch what has been appended to the log. */
  publish(events: readonly HubEvent[]): void {
    for (const watcher of [...this.#watchers]) for (const event of events) watcher.tell(event);
  }

  async close(): Promise<void> {
    for (const watcher of [...this.#watchers]) watcher.end();
    await this.#server.stop(true);
  }

  #answer(request: Request): Response {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return refuse({ code: 405, reason: "MethodNotAllowed", message: "the hub serves a folder: change its files" });
    }
    if (pathname === "/healthz" || pathname === "/livez" || pathname === "/readyz") return new Response("ok");
    const asked = parseRequest(pathname, searchParams);
    if (asked === undefined) {
      const discovery = answerDiscovery(pathname, this.#version);
      return discovery === undefined ? refuse(notFound(pathname)) : Response.json(discovery);
    }
    if (!asked.ok) return refuse(asked.error);
    switch (asked.value.kind) {
      case "get":
        return this.#get(asked.value.resource.plural, asked.value.key, asked.value);
      case "list": {
        const list = answerList(this.#log, asked.value);
        return list.ok ? json(list.value) : refuse(list.error);
      }
      case "watch":
        return this.#watch(asked.value);
    }
  }

  #get(plural: string, key: string, { resource }: Extract<HubRequest, { kind: "get" }>): Response {
    const id = objectId(resource, key);
    if (this.#log.withheld.has(id)) return refuse(forbidden(key));
    const object = this.#log.objects.get(id);
    return object === undefined ? refuse(notFound(`${plural} "${key}"`)) : json(object.text);
  }

  #watch(request: WatchRequest): Response {
    const { resource, selects, from } = request;
    const missed = from === undefined ? [] : this.#log.since(from);
    if (missed === undefined) {
      return refuse({ code: 410, reason: "Expired", message: `too old or foreign resource version: ${from}` });
    }
    if (this.#watchers.size >= WATCHES_MAX) return new Response("too many watches", { status: 429 });
    const lines =
      from === undefined
        ? this.#log
            .list(resource)
            .filter((object) => selects(object.json))
            .map((object) => formatEvent("ADDED", object))
        : missed.flatMap((event) => watchLine(event, resource, selects) ?? []);
    const watcher = new Watcher(
      request,
      lines,
      this.#clock,
      () => this.#log.version,
      (ended) => this.#watchers.delete(ended),
    );
    this.#watchers.add(watcher);
    return new Response(watcher.body, { headers: { "content-type": "application/json" } });
  }
}

function json(text: string): Response {
  return new Response(text, { headers: { "content-type": "application/json" } });
}

function refuse(error: RequestError): Response {
  return Response.json(statusOf(error), { status: error.code });
}

function forbidden(key: string): RequestError {
  const message = `the hub hands no private key out over plain HTTP, and Secret "${key}" has one: let the node join with a key of its own (selvedge-cloud token create), or listen on loopback`;
  return { code: 403, reason: "Forbidden", message };
}

function notFound(what: string): RequestError {
  return { code: 404, reason: "NotFound", message: `the hub does not have ${what}` };
}
