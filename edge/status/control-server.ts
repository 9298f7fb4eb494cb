import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Server } from "bun";
import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import { minutes, seconds } from "../../src/base/duration.ts";
import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { Ip } from "../../src/base/ip.ts";
import type { Scope } from "../../src/base/scope.ts";
import { CONTROL_SOCKET } from "../../src/network/agent-report.ts";
import { Reconciler } from "../../src/reconcile/reconciler.ts";
import type { ControlHandlers } from "./control.ts";
import { answerQuestion, type Surface } from "./request-answer.ts";

export interface ControlServerOptions {
  readonly runDir: string;
  readonly httpBind: { readonly address: Ip; readonly port: number };
  readonly handlers: ControlHandlers;
  readonly health: Health;
  readonly clock: Clock;
  readonly random: Random;
}

/** All questions are GETs: whoever sends a body is refused before it takes memory. */
export const REQUEST_BODY_MAX = 1024;

/** A listener that could not bind tries again: the other program may go, the directory may become writable. */
const RETRY = { initial: seconds(1), factor: 2, limit: minutes(1) };

/**
 * The agent's two doors: a unix socket for `selvedge` itself, and HTTP for probes and metrics. Each is bound again
 * when it was lost or could not be bound, with a condition as long as it is closed; the agent works without them.
 */
export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly socketPath: string;
  #socket: Server<undefined> | undefined;
  #http: Server<undefined> | undefined;

  private constructor(options: ControlServerOptions) {
    this.#options = options;
    this.socketPath = join(options.runDir, CONTROL_SOCKET);
  }

  /** @throws SelvedgeError AGENT_RUNNING when another agent answers on the socket: two would fight over the kernel */
  static async start(options: ControlServerOptions, scope: Scope): Promise<ControlServer> {
    const server = new ControlServer(options);
    if (await answers(server.socketPath)) {
      throw new SelvedgeError(`Cannot start as another agent runs on this node: it answers on ${server.socketPath}`, {
        code: "AGENT_RUNNING",
        blame: "user",
        retry: "later",
        hint: "Stop it first (systemctl stop selvedge), or give this one its own --run-dir and --state-dir.",
      });
    }
    scope.onClose("control server", () => server.#close());
    await Promise.all([
      server.#keep("CONTROL_SOCKET_CLOSED", () => server.#bindSocket(), scope),
      server.#keep("HTTP_CLOSED", () => server.#bindHttp(), scope),
    ]);
    return server;
  }

  /** Undefined while it is not bound. */
  get httpPort(): number | undefined {
    return this.#http?.port;
  }

  #keep(what: Door, bind: () => void, scope: Scope): Promise<void> {
    const { health, clock, random } = this.#options;
    const loop = new Reconciler(
      {
        run: async () => bind(),
        onFailure: (error) =>
          health.raise({ component: "status", severity: "degraded", ...this.#describe(what, error) }),
        onSuccess: () => health.clear("status", what),
        every: minutes(1),
        backoff: RETRY,
      },
      clock,
      random,
      scope,
    );
    return loop.trigger(true);
  }

  #bindSocket(): void {
    if (this.#socket !== undefined && existsSync(this.socketPath)) return;
    void this.#socket?.stop(true);
    this.#socket = undefined;
    mkdirSync(this.#options.runDir, { recursive: true, mode: 0o755 });
    // Nobody answers on it (see start): it is left over from an agent that was killed.
    rmSync(this.socketPath, { force: true });
    // The mode has to be right from the first moment: who connects before a chmod stays connected.
    const umask = process.umask(0o177);
    try {
      this.#socket = Bun.serve({ unix: this.socketPath, ...this.#serve("control") });
    } finally {
      process.umask(umask);
    }
  }

  #bindHttp(): void {
    const { address, port } = this.#options.httpBind;
    this.#http ??= Bun.serve({ hostname: address, port, ...this.#serve("http") });
  }

  #serve(surface: Surface) {
    return {
      development: false,
      maxRequestBodySize: REQUEST_BODY_MAX,
      fetch: async (request: Request) => {
        // Without a usable Host the URL is a path alone, or none at all.
        const url = URL.parse(request.url, "http://selvedge");
        if (url === null) return new Response("the Host header is none\n", { status: 400 });
        const question = { method: request.method, path: url.pathname, query: url.searchParams };
        const { status, type, body } = await answerQuestion(question, surface, this.#options.handlers);
        return new Response(body, { status, headers: { "content-type": type } });
      },
    };
  }

  #describe(what: Door, error: unknown): { readonly code: Door; readonly message: string; readonly hint: string } {
    const { address, port } = this.#options.httpBind;
    const taken = errorCode(error) === "EADDRINUSE";
    const why = taken ? "another program listens there" : errorText(error);
    return what === "HTTP_CLOSED"
      ? {
          code: "HTTP_CLOSED",
          message: `Cannot serve /livez, /readyz and /metrics on port ${port} of ${address}: ${why}`,
          hint: `Find who has it with "ss -ltnp sport = :${port}", or set another --http-bind.`,
        }
      : {
          code: "CONTROL_SOCKET_CLOSED",
          message: `Cannot listen on ${this.socketPath}: ${why}`,
          hint: "Make the directory of --run-dir writable for the agent; commands that ask the agent fail until then.",
        };
  }

  async #close(): Promise<void> {
    await Promise.all([this.#socket?.stop(true), this.#http?.stop(true)]);
  }
}

type Door = "CONTROL_SOCKET_CLOSED" | "HTTP_CLOSED";

async function answers(socketPath: string): Promise<boolean> {
  if (!existsSync(socketPath)) return false;
  try {
    await fetch("http://selvedge/livez", { unix: socketPath, signal: AbortSignal.timeout(2000) });
    return true;
  } catch (error) {
    // It exists, and somebody listens without answering: a stalled agent is an agent.
    return error instanceof Error && error.name === "TimeoutError";
  }
}
