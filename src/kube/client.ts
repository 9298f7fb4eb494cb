import type { Clock } from "../base/clock.ts";
import { type Duration, formatDuration, seconds } from "../base/duration.ts";
import { errorCode, SelvedgeError } from "../base/errors.ts";
import { statusError } from "./status.ts";

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

export interface FetchInit {
  readonly method: "GET";
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
/** No part of a refusal for so long. */
const REFUSAL_IDLE = seconds(30);

/** GET over HTTP(S), JSON only. Every failure is a SelvedgeError with a KUBE_ code. */
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
    const what = `${verb} ${path}`;
    const response = await this.#request(what, this.#endpoint.url + path + formatQuery(query), signal);
    if (response.status === 200 && response.body !== null) return response.body;
    if (response.status === 200) throw badResponse(what, "an empty answer");
    const body = response.body === null ? "" : await readRefusal(response.body, this.#clock);
    throw statusError(what, response.status, parseOrText(body));
  }

  async #request(what: string, url: string, signal: AbortSignal): Promise<Response> {
    const { token, tls } = await this.#endpoint.credentials();
    const headers = {
      accept: "application/json",
      "user-agent": this.#userAgent,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const late = new AbortController();
    const timer = this.#clock.after(HEADER_TIMEOUT, () => late.abort());
    try {
      return await this.#fetch(url, {
        method: "GET",
        headers,
        signal: AbortSignal.any([signal, late.signal]),
        // A redirect would carry the token to somebody else.
        redirect: "manual",
        // Bun's own of five minutes would end quiet watches; ours are the header time-out and the reader's.
        timeout: false,
        // As Go's clients do: HTTP_PROXY is not for services of this machine.
        ...(isLoopback(url) ? { proxy: false } : {}),
        ...(tls === undefined ? {} : { tls: fetchTls(tls) }),
      });
    } catch (cause) {
      if (late.signal.aborted) throw unreachable(what, `no answer within ${formatDuration(HEADER_TIMEOUT)}`, undefined);
      throw unreachable(what, errorCode(cause), cause);
    } finally {
      timer.cancel();
    }
  }
}

/** Chunks of a body; a pause longer than `idle` is KUBE_UNREACHABLE. The body is cancelled when the reader stops. */
export async function* readChunks(
  body: ReadableStream<Uint8Array>,
  idle: Duration,
  clock: Clock,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.getReader();
  try {
    for (;;) {
      const chunk = await within(reader.read(), idle, clock);
      if (chunk === undefined) return;
      yield chunk;
    }
  } finally {
    // Cancelling a body that has failed already fails again, with what has been reported.
    await reader.cancel().catch(() => undefined);
  }
}

async function within(
  read: Promise<{ readonly value?: Uint8Array | undefined }>,
  idle: Duration,
  clock: Clock,
): Promise<Uint8Array | undefined> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = clock.after(idle, () => reject(unreachable("read", `silence for ${formatDuration(idle)}`, undefined)));
  try {
    return (await Promise.race([read, late])).value;
  } catch (cause) {
    throw cause instanceof SelvedgeError ? cause : unreachable("read", errorCode(cause), cause);
  } finally {
    timer.cancel();
  }
}

/** What a refusal says, as far as it is to be had: the status counts without it. */
async function readRefusal(body: ReadableStream<Uint8Array>, clock: Clock): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of readChunks(body, REFUSAL_IDLE, clock)) {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > REFUSAL_BYTES_MAX) break;
    }
  } catch {
    // Cut short: what has come has to do.
  }
  return Buffer.concat(chunks).subarray(0, REFUSAL_BYTES_MAX).toString();
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text };
  }
}

export function badResponse(what: string, value: string, cause?: unknown): SelvedgeError {
  return new SelvedgeError(`Cannot ${what} as the answer is not the Kubernetes API's: current value is ${value}`, {
    code: "KUBE_BAD_RESPONSE",
    blame: "peer",
    retry: "later",
    hint: "Is this address a Kubernetes API?",
    cause,
  });
}

function unreachable(what: string, value: string, cause: unknown): SelvedgeError {
  return new SelvedgeError(`Cannot ${what} as the source does not answer: current value is ${value}`, {
    code: "KUBE_UNREACHABLE",
    blame: "peer",
    retry: "later",
    hint: "Check the address of the source and whether it runs; until then everything goes on from the cache.",
    cause,
  });
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
