import { minutes } from "../../src/base/duration.ts";
import { errorCode, errorText } from "../../src/base/errors.ts";
import { Health } from "../../src/base/health.ts";
import { foldRepeats, Log } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { NodeKernel } from "../node-agent/kernel.ts";
import { NodeAgent } from "../node-agent/node-agent.ts";
import { openCluster } from "./cluster-access.ts";
import { claimNodeFabric } from "./fabric-claim.ts";
import { startHealthServer } from "./health-server.ts";
import type { NodeAgentSettings } from "./node-agent-options.ts";
import type { System } from "./system.ts";

const LOG_WINDOW = minutes(1);

/** `selvedge-cloud node-agent`, until its scope closes. */
export async function startNodeAgent(settings: NodeAgentSettings, system: System, scope: Scope): Promise<void> {
  const { namespace, node, kubeconfig, listen, logLevel } = settings;
  const { clock, random } = system;
  const log = new Log(
    foldRepeats(system.log, () => clock.now(), LOG_WINDOW),
    logLevel,
  );
  const health = new Health(
    () => clock.wall(),
    ({ code, severity, message, hint }, raised) => {
      if (!raised) log.info("node-agent.cleared", message, { code });
      else if (severity === "info") log.info("node-agent.condition", message, { code, hint });
      else log.warn("node-agent.condition", message, { code, hint });
    },
  );
  const metrics = new Metrics("selvedge");
  let agent: NodeAgent | undefined;
  const notReady = () => agent?.notReady ?? "another program keeps this node's routes to edges";
  const url = startHealthServer({ listen, notReady, metrics }, scope);
  log.info("node-agent.started", "The node-agent follows the connectors", { url: url.href, name: node });
  await claimNodeFabric("node-agent", health, clock, scope);
  const kernel = new NodeKernel(openNftables(health));
  scope.onClose("kernel", () => kernel.close());
  const client = await openCluster(kubeconfig, system);
  agent = new NodeAgent({ client, namespace, node, kernel, health, metrics, log, clock, random }, scope);
  await agent.start(scope);
}

/** `selvedge-cloud node-agent cleanup`. */
export function cleanNode(dryRun: boolean, { out }: Pick<System, "out">): void {
  const kernel = new NodeKernel(openNftables(undefined));
  try {
    const removed = kernel.remove(dryRun);
    const verb = dryRun ? "Would remove" : "Removed";
    out(removed.length === 0 ? "Nothing to remove.\n" : removed.map((what) => `${verb} ${what}\n`).join(""));
  } finally {
    kernel.close();
  }
}

/** Routes are written without it, too: only what masquerades between pods and edges stays in their way. */
function openNftables(health: Health | undefined): Nftables | undefined {
  try {
    return new Nftables();
  } catch (error) {
    if (errorCode(error) !== "NFT_MISSING") throw error;
    health?.raise({
      component: "node-agent",
      code: "NFT_MISSING",
      severity: "degraded",
      message: errorText(error),
      hint: "Load or build nf_tables and nft_nat: until then the pod network may masquerade packets to edges.",
    });
    return undefined;
  }
}
