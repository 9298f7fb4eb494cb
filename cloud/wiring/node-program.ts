import { Health } from "../../src/base/health.ts";
import type { Log } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import { claimNodeFabric } from "./fabric-claim.ts";
import { startHealthServer } from "./health-server.ts";
import type { NodeProgramOptions } from "./node-program-options.ts";
import { openLog } from "./program-log.ts";
import type { System } from "./system.ts";

export interface NodeProgramStart {
  /** The first word of its log events, and whose its conditions are. */
  readonly component: "connector" | "node-agent";
  /** Said when it starts: what it does. */
  readonly greeting: string;
  /** What does the work, as soon as there is one; `notReady`: why it does not. */
  readonly worker: () => { readonly notReady: string | undefined } | undefined;
}

/** What a program says of itself. */
export interface NodeProgram {
  readonly log: Log;
  readonly health: Health;
  readonly metrics: Metrics;
}

/**
 * The beginning of each program that keeps the network of a cloud node: a log in which its conditions are told, an HTTP
 * server for probes and metrics, and then the claim of the node's routes.
 *
 * @returns when no other program of ours keeps these routes
 * @throws where the scope was closed before
 */
export async function startNodeProgram(
  { component, greeting, worker }: NodeProgramStart,
  { node, listen, logLevel }: NodeProgramOptions,
  system: System,
  scope: Scope,
): Promise<NodeProgram> {
  const { clock } = system;
  const log = openLog(system, logLevel);
  const health = new Health(
    () => clock.wall(),
    ({ code, severity, message, hint }, raised) => {
      if (!raised) log.info(`${component}.cleared`, message, { code });
      else if (severity === "info") log.info(`${component}.condition`, message, { code, hint });
      else log.warn(`${component}.condition`, message, { code, hint });
    },
  );
  const metrics = new Metrics("selvedge");
  const notReady = () => {
    const current = worker();
    return current === undefined ? "another program keeps this node's routes to edges" : current.notReady;
  };
  const url = startHealthServer({ listen, notReady, metrics }, scope);
  log.info(`${component}.started`, greeting, { url: url.href, name: node });
  await claimNodeFabric(component, health, clock, scope);
  scope.signal.throwIfAborted();
  return { log, health, metrics };
}
