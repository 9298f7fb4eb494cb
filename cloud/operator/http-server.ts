import type { Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import { listenEverywhere } from "../../src/linux/listen-everywhere.ts";
import type { OperatorStatus } from "./operator.ts";
import type { ListenAddress } from "./option-values.ts";

export interface HttpServerOptions {
  readonly listen: ListenAddress;
  readonly status: () => OperatorStatus;
  readonly metrics: Metrics;
}

/**
 * /livez, /readyz and /metrics. An operator that follows is ready as one that leads; one that has not read everything yet
 * is not.
 */
export function startHttpServer({ listen, status, metrics }: HttpServerOptions, scope: Scope): URL {
  const serve = (hostname: string) =>
    Bun.serve({
      hostname,
      port: listen.port,
      routes: {
        "/livez": () => new Response("ok\n"),
        "/readyz": () => {
          const { planned, kinds } = status();
          const missing = kinds.filter(({ synced }) => !synced).map(({ kind }) => kind);
          return planned
            ? new Response("ok\n")
            : new Response(`not read yet: ${missing.join(", ")}\n`, { status: 503 });
        },
        "/metrics": () =>
          new Response(metrics.render(), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } }),
      },
      fetch: () => new Response("not found\n", { status: 404 }),
    });
  const server = listenEverywhere(listen.hostname, serve);
  scope.onClose("HTTP server", () => server.stop(true));
  return server.url;
}
