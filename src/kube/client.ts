import type { Clock } from "../base/clock.ts";
import { type Duration, formatDuration, seconds } from "../base/duration.ts";
import { errorCode } from "../base/errors.ts";
import { readBeginning, readWhole } from "./body.ts";
import { OBJECT_BYTES_MAX } from "./piece.ts";
import { badResponse, isDistrust, parseRetryAfter, statusError, unreachable, untrusted } from "./status.ts";

/** PEM texts. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name to check the server's certificate against, where it is not the address's. */
  readonly serverName?: string;
  /** kubeconfig's insecure-skip-tls-verify. */
  readonly insecure?: boolean;
}

export interface Credentials {
  readonly token: string | undefined;
  readonly tls: TlsMaterial | undefined;
}

/** Where requests go. Credentials are asked for before each request, so a rotated file needs no watching. */
export interface KubeEndpoint {
  /** Scheme, host and port, perhaps a path; without a slash at the end. */
  readonly url: string;
  readonly credentials: () => Promise<Credentials>;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface FetchInit {
  readonly method: Method;
  readonly body?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly redirect: "manual";
  readonly timeout: false;
  readonly proxy?: false;
  readonly tls?: BunFetchRequestInitTLS;
}

export type Fetch = (url: string, init: FetchInit) => Promise<Response>;

export type Query = Readonly<Record<string, string | undefined>>;

/** metaServer takes exactly 10 s while a dead link is unnoticed, an API server may queue a list for longer. */
export const HEADER_TIMEOUT = seconds(30);
/** A Status is a sentence or two; of a gateway's page the beginning will do. */
export const REFUSAL_BYTES_MAX = 32 * 1024;

/** One request whose answer is one object. */
export interface KubeRequest {
  /** For error texts: "get", "apply", "delete". */
  readonly verb: string;
  readonly method: Method;
  readonly path: string;
  readonly query?: Query;
  readonly body?: { readonly type: string; readonly text: string };
  /** What to answer with, where it is not the whole object as JSON. */
  readonly accept?: string;
  /** For the whole of it, the answer's body included. */
  readonly timeout: Duration;
}

/** HTTP(S), JSON only. Every failure is a SelvedgeError with a KUBE_ code. */
export class KubeClient {
  readonly #endpoint: KubeEndpoint;
  readonly #userAgent: string;
  readonly #fetch: Fetch;
  readonly #clock: Clock;

  /** @param userAgent "name/version": lite-apiserver and YurtHub key their caches by its first word */
  constructor(endpoint: KubeEndpoint, userAgent: string, fetch: Fetch, clock: Clock) {
    this.#endpoint = endpoint;
    this.#userAgent = userAgent;
    this.#fetch = fetch;
    this.#clock = clock;
  }

  get url(): string {
    return this.#endpoint.url;
  }

  /**
   * Opens a body that the caller reads and bounds; the caller ends it by aborting `signal` or cancelling the body.
   *
   * @param verb for error texts: "list", "watch"
   */
  async open(verb: string, path: string, query: Query, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const request: KubeRequest = { verb, method: "GET", path, query, timeout: HEADER_TIMEOUT };
    const late = new AbortController();
    const timer = this.#clock.after(HEADER_TIMEOUT, () => late.abort());
    try {
      return await this.#open(request, late.signal, signal);
    } finally {
      timer.cancel();
    }
  }

  /** The answer, parsed; at most OBJECT_BYTES_MAX of it. */
  async send(request: KubeRequest, signal: AbortSignal): Promise<unknown> {
    const what = nameOf(request);
    const late = new AbortController();
    const timer = this.#clock.after(request.timeout, () => late.abort());
    try {
      const body = await this.#open(request, late.signal, signal);
      const text = await readWhole(body, OBJECT_BYTES_MAX, request.timeout, this.#clock);
      if (text === undefined) throw badResponse(what, `more than ${OBJECT_BYTES_MAX} bytes`);
      return parseAnswer(what, text);
    } finally {
      timer.cancel();
    }
  }

  async #open(request: KubeRequest, late: AbortSignal, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const what = nameOf(request);
    const response = await this.#fetchAnswer(what, request, late, signal);
    const { status, body } = response;
    // 201: it was not there before; 202: a deletion that finalizers delay.
    if (status >= 200 && status <= 202 && body !== null) return body;
    if (status >= 200 && status <= 202) throw badResponse(what, "an empty answer");
    const said = body === null ? "" : await readBeginning(body, REFUSAL_BYTES_MAX, this.#clock);
    throw statusError(what, status, parseOrText(said), parseRetryAfter(response.headers.get("retry-after")));
  }

  async #fetchAnswer(what: string, request: KubeRequest, late: AbortSignal, signal: AbortSignal): Promise<Response> {
    const { token, tls } = await this.#endpoint.credentials();
    const { method, body, accept = "application/json", timeout } = request;
    const url = this.#endpoint.url + request.path + formatQuery(request.query ?? {});
    const headers = {
      accept,
      "user-agent": this.#userAgent,
      ...(body === undefined ? {} : { "content-type": body.type }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    try {
      return await this.#fetch(url, {
        method,
        headers,
        ...(body === undefined ? {} : { body: body.text }),
        signal: AbortSignal.any([signal, late]),
        // A redirect would carry the token to somebody else.
        redirect: "manual",
        // Bun's own of five minutes would end quiet watches; ours are the header time-out and the reader's.
        timeout: false,
        // As Go's clients do: HTTP_PROXY is not for services of this machine.
        ...(isLoopback(url) ? { proxy: false } : {}),
        ...(tls === undefined ? {} : { tls: fetchTls(tls) }),
      });
    } catch (cause) {
      // Without a user and password that the address may have in it.
      const where = URL.parse(url)?.origin ?? url;
      if (late.aborted) throw unreachable(what, `no answer within ${formatDuration(timeout)}`, undefined, where);
      const value = errorCode(cause);
      throw isDistrust(value) ? untrusted(what, value, cause, where) : unreachable(what, value, cause, where);
    }
  }
}

function nameOf({ verb, path }: KubeRequest): string {
  return `${verb} ${path}`;
}

function parseAnswer(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw badResponse(what, "not JSON", cause);
  }
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text };
  }
}

function formatQuery(query: Query): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, value);
  return params.size === 0 ? "" : `?${params}`;
}

function fetchTls(tls: TlsMaterial): BunFetchRequestInitTLS {
  return {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
    ...(tls.insecure === true ? { rejectUnauthorized: false } : {}),
  };
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
}
