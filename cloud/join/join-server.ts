import type { Server } from "bun";
import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import { REQUEST_BYTES_MAX } from "../../src/certificate/request.ts";
import { listenEverywhere } from "../../src/linux/listen-everywhere.ts";
import type { JoinDesk } from "./join-desk.ts";

export interface JoinServerOptions {
  readonly hostname: string;
  readonly port: number;
  /** PEM: the operator's own certificate, with the authorities after it, and its key. */
  readonly certificate: string;
  readonly key: string;
}

/** HTTPS at which nodes join: GET /v1/authorities for what they pin, POST /v1/join with token and request. */
export class JoinServer {
  readonly port: number;
  readonly #desk: JoinDesk;
  readonly #log: Log;
  readonly #options: JoinServerOptions;
  #server: Server<undefined>;

  constructor(options: JoinServerOptions, desk: JoinDesk, log: Log, scope: Scope) {
    this.#desk = desk;
    this.#log = log;
    this.#options = options;
    this.#server = this.#serve(options);
    this.port = this.#server.port ?? options.port;
    scope.onClose("join server", () => this.#server.stop(true));
  }

  /** Who connects from now on sees this certificate. Throws where somebody else has taken the port in between. */
  renew(certificate: string, key: string): void {
    // Bun's reload keeps the certificate. What is being answered is answered to its end.
    void this.#server.stop();
    this.#server = this.#serve({ ...this.#options, port: this.port, certificate, key });
  }

  #serve({ hostname, port, certificate, key }: JoinServerOptions): Server<undefined> {
    const options = {
      port,
      development: false,
      maxRequestBodySize: REQUEST_BYTES_MAX,
      tls: { cert: certificate, key },
      fetch: (request: Request) => this.#answer(request),
    };
    return listenEverywhere(hostname, (address) => Bun.serve({ hostname: address, ...options }));
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    try {
      if (request.method === "GET" && pathname === "/v1/authorities") {
        return new Response(await this.#desk.bundle(), { headers: { "content-type": "application/x-pem-file" } });
      }
      if (request.method === "POST" && pathname === "/v1/join") {
        const token = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
        return Response.json(await this.#desk.join(token, await request.text()));
      }
      return Response.json({ code: "JOIN_NO_SUCH_PAGE", message: "there is no such page" }, { status: 404 });
    } catch (error) {
      const ours = error instanceof SelvedgeError ? error : undefined;
      this.#log.warn("join.refused", "A node was not let in.", { code: errorCode(error), err: errorText(error) });
      // What is wrong inside is the log's business.
      const message = ours === undefined ? "the operator failed" : errorText(error);
      const body = { code: errorCode(error), message, hint: ours?.hint };
      return Response.json(body, { status: statusOf(ours) });
    }
  }
}

function statusOf(error: SelvedgeError | undefined): number {
  switch (error?.code) {
    case "JOIN_TOKEN_REFUSED":
      return 401;
    case "JOIN_REQUEST_INVALID":
      return 400;
    case "JOIN_NODE_REFUSED":
      return 403;
    case "JOIN_BUSY":
      return 429;
    default:
      return error === undefined ? 500 : 503;
  }
}
