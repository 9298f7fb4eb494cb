import type { Server } from "bun";
import { errorCode } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import { formatHealthCheck, type HealthCheck } from "./health-check-plan.ts";

/** Services whose load balancer asks this node: a listening socket each, and they come from the node-port range. */
export const HEALTH_CHECK_PORTS_LIMIT = 256;
/** All questions are GETs: whoever sends a body is refused before it takes memory. */
export const HEALTH_CHECK_BODY_LIMIT = 1024;
/** Load balancers ask every few seconds, mostly over a new connection: an idle one is not waited for. */
const IDLE_SECONDS = 10;

interface Failure {
  readonly service: ObjectKey;
  readonly port: number;
  readonly why: string;
}

/** The HTTP ports on which load balancers ask whether this node has endpoints of a service. */
export class HealthCheckPorts {
  readonly #health: Pick<Health, "raise" | "clear">;
  readonly #wanted = new Map<ObjectKey, HealthCheck>();
  /** Whose answer a port gives. */
  #owners: ReadonlyMap<number, ObjectKey> = new Map();
  readonly #servers = new Map<number, Server<undefined>>();
  #current = true;

  constructor(health: Pick<Health, "raise" | "clear">) {
    this.#health = health;
  }

  /** @param check undefined when the service has none */
  want(service: ObjectKey, check: HealthCheck | undefined): void {
    if (this.#wanted.get(service)?.port !== check?.port) this.#current = false;
    if (check === undefined) this.#wanted.delete(service);
    else this.#wanted.set(service, check);
  }

  /** Opens and closes what `want` has changed, and tries again what could not be opened. Open ports stay as they are. */
  sync(): void {
    if (this.#current) return;
    const failures: Failure[] = [];
    this.#owners = this.#assign(failures);
    for (const [port, server] of this.#servers) {
      if (this.#owners.has(port)) continue;
      void server.stop(true);
      this.#servers.delete(port);
    }
    for (const [port, service] of this.#owners) {
      if (this.#servers.has(port)) continue;
      try {
        this.#servers.set(port, this.#listen(port));
      } catch (error) {
        failures.push({ service, port, why: errorCode(error) });
      }
    }
    this.#current = failures.length === 0;
    this.#report(failures);
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#servers.values(), (server) => server.stop(true)));
    this.#servers.clear();
  }

  #assign(failures: Failure[]): ReadonlyMap<number, ObjectKey> {
    const owners = new Map<number, ObjectKey>();
    for (const [service, { port }] of this.#wanted) {
      const owner = owners.get(port);
      if (owner !== undefined) failures.push({ service, port, why: `it is ${owner}'s` });
      else if (owners.size < HEALTH_CHECK_PORTS_LIMIT) owners.set(port, service);
      else failures.push({ service, port, why: `there are ${HEALTH_CHECK_PORTS_LIMIT} already` });
    }
    return owners;
  }

  #listen(port: number): Server<undefined> {
    const options = { port, idleTimeout: IDLE_SECONDS, maxRequestBodySize: HEALTH_CHECK_BODY_LIMIT };
    const fetch = () => this.#answer(port);
    try {
      return Bun.serve({ ...options, hostname: "::", fetch });
    } catch (error) {
      if (errorCode(error) === "EADDRINUSE") throw error;
      // A kernel without IPv6.
      return Bun.serve({ ...options, hostname: "0.0.0.0", fetch });
    }
  }

  #answer(port: number): Response {
    const service = this.#owners.get(port) ?? "";
    const { body, ...init } = formatHealthCheck(service, this.#wanted.get(service)?.localEndpoints ?? 0);
    return new Response(body, init);
  }

  #report(failures: readonly Failure[]): void {
    const [first] = failures;
    if (first === undefined) {
      this.#health.clear("service", "SERVICE_HEALTH_CHECK_CLOSED");
      return;
    }
    const more = failures.length === 1 ? "" : `, and ${failures.length - 1} more`;
    this.#health.raise({
      code: "SERVICE_HEALTH_CHECK_CLOSED",
      component: "service",
      severity: "degraded",
      message: `Cannot answer health checks of ${first.service} on port ${first.port} as it cannot be opened: ${first.why}${more}`,
      hint: "Find who has the port with `ss -ltnp`, or give the service another one. It is tried again each minute.",
    });
  }
}
