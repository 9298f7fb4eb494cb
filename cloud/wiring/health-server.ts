import type { Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import { listenEverywhere } from "../../src/linux/listen-everywhere.ts";

export interface HealthServerOptions {
  readonly listen: { readonly hostname: string; readonly port: number };
  /** Why it does not do its job; undefined: it does. */
  readonly notReady: () => string | undefined;
  readonly metrics: Metrics;
}

/** /livez, /readyz and /metrics of a program of the cloud. */
export function startHealthServer({ listen, notReady, metrics }: HealthServerOptions, scope: Scope): URL {
  const serve = (hostname: string) =>
    Bun.serve({
      hostname,
      port: listen.port,
      routes: {
        "/livez": () => new Response("ok\n"),
        "/readyz": () => {
          const why = notReady();
          return why === undefined ? new Response("ok\n") : new Response(`${why}\n`, { status: 503 });
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
