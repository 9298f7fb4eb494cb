import type { Namespace } from "../namespace.ts";

export const PAGE_PORT = 8080;

/** A real HTTP server on all addresses of a host or pod: its page is the host's name. */
export async function servePages(host: Namespace): Promise<void> {
  const script = `Bun.serve({ hostname: "::", port: ${PAGE_PORT}, fetch: () => new Response("${host.name}\\n") }); console.log("up")`;
  await host.spawn([process.execPath, "-e", script], { ready: /up/ });
}
