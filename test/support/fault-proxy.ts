import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TlsMaterial } from "../../src/kube/client.ts";

/** What happens to a request. `cut` is before the server sees it, `lose` after: done, and nobody is told. */
export type Fault =
  | { readonly kind: "pass" }
  | { readonly kind: "cut" }
  | { readonly kind: "lose" }
  | { readonly kind: "hang" }
  | { readonly kind: "delay"; readonly ms: number }
  /** Kept until then, and passed on even if whoever sent it has given up. */
  | { readonly kind: "hold"; readonly until: Promise<void> }
  /** A list that lacks everything, and a watch in which nothing happens. */
  | { readonly kind: "empty" }
  | { readonly kind: "answer"; readonly status: number; readonly retryAfter?: number };

export interface SeenRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly token: string | undefined;
  /** performance.now() */
  readonly at: number;
  readonly fault: Fault["kind"];
  /** What the server answered; undefined where it was not asked, or has not answered. */
  status: number | undefined;
}

const PASS: Fault = { kind: "pass" };

/**
 * Stands between a client and an API server, on this machine's loopback and in plain HTTP, and does with each request what
 * it is told.
 */
export class FaultProxy implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  readonly #upstream: string;
  readonly #tls: TlsMaterial | undefined;
  readonly #server: Server;
  readonly #open = new Set<ServerResponse>();
  #choose: (request: SeenRequest) => Fault = () => PASS;

  static async start(upstream: string, tls: TlsMaterial | undefined): Promise<FaultProxy> {
    const proxy = new FaultProxy(upstream, tls);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  private constructor(upstream: string, tls: TlsMaterial | undefined) {
    this.#upstream = upstream;
    this.#tls = tls;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on, for every request. Whoever still waits for an answer, or watches, is cut off by all but a delay. */
  become(fault: Fault): void {
    this.choose(() => fault);
    if (fault.kind !== "pass" && fault.kind !== "delay") this.cutOff();
  }

  /** Whoever waits for an answer, or watches. */
  cutOff(): void {
    for (const open of this.#open) cut(open);
  }

  choose(choose: (request: Omit<SeenRequest, "fault">) => Fault): void {
    this.#choose = choose;
  }

  get writes(): readonly SeenRequest[] {
    return this.seen.filter((request) => request.method !== "GET");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const open of this.#open) cut(open);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open.add(response);
    response.on("close", () => this.#open.delete(response));
    const body = await new Response(request as unknown as ReadableStream).arrayBuffer().catch(() => undefined);
    // Cut off before it was all said.
    if (body === undefined) return;
    const { method = "", url: path = "" } = request;
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? "")?.[1];
    const asked = { method, path, token, at: performance.now(), status: undefined };
    const fault = this.#choose({ ...asked, fault: "pass" });
    const seen: SeenRequest = { ...asked, fault: fault.kind };
    this.seen.push(seen);
    switch (fault.kind) {
      case "cut":
        cut(response);
        return;
      case "hang":
        return;
      case "empty":
        response.writeHead(200, { "content-type": "application/json" });
        if (path.includes("watch=true")) response.flushHeaders();
        else response.end(JSON.stringify({ kind: "List", metadata: { resourceVersion: "1" }, items: [] }));
        return;
      case "answer":
        if (fault.retryAfter !== undefined) response.setHeader("retry-after", fault.retryAfter);
        response.writeHead(fault.status, { "content-type": "application/json" });
        response.end(JSON.stringify({ kind: "Status", message: "as told" }));
        return;
      case "delay":
        await Bun.sleep(fault.ms);
        return await this.#forward(request, body, seen, response);
      case "hold":
        await fault.until;
        return await this.#forward(request, body, seen, undefined).finally(() => cut(response));
      case "lose":
        return await this.#forward(request, body, seen, undefined).finally(() => cut(response));
      case "pass":
        return await this.#forward(request, body, seen, response);
    }
  }

  async #forward(
    { method = "", url: path = "", headers }: IncomingMessage,
    body: ArrayBuffer,
    seen: SeenRequest,
    response: ServerResponse | undefined,
  ): Promise<void> {
    const gone = new AbortController();
    response?.on("close", () => gone.abort());
    if (response?.destroyed || response?.socket?.destroyed) gone.abort();
    const passed = ["accept", "authorization", "content-type", "user-agent"].flatMap((name) => {
      const value = headers[name];
      return typeof value === "string" ? [[name, value] as const] : [];
    });
    try {
      const answer = await fetch(this.#upstream + path, {
        method,
        headers: Object.fromEntries(passed),
        body: method === "GET" ? null : body,
        signal: gone.signal,
        redirect: "manual",
        ...(this.#tls === undefined ? {} : { tls: { ...this.#tls } }),
      });
      seen.status = answer.status;
      response?.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "text/plain" });
      response?.flushHeaders();
      for await (const chunk of answer.body ?? []) response?.write(chunk);
      response?.end();
    } catch {
      if (response !== undefined) cut(response);
    }
  }
}

/** Not by the response's own destroy(): Bun answers 200 with nothing then, where no header has been sent. */
function cut(response: ServerResponse): void {
  response.socket?.destroy();
}
