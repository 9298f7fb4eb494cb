import { errorCode, errorText } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { Scope } from "../../src/base/scope.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { NodeKernel } from "../node-agent/kernel.ts";
import { NodeAgent } from "../node-agent/node-agent.ts";
import { openCluster } from "./cluster-access.ts";
import { startNodeProgram } from "./node-program.ts";
import type { NodeProgramOptions } from "./node-program-options.ts";
import type { System } from "./system.ts";

/** `selvedge-cloud node-agent`, until its scope closes. */
export async function startNodeAgent(options: NodeProgramOptions, system: System, scope: Scope): Promise<void> {
  const { namespace, node, kubeconfig } = options;
  const { clock, random } = system;
  let agent: NodeAgent | undefined;
  const greeting = "The node-agent follows the connectors";
  const worker = () => agent;
  const program = await startNodeProgram({ component: "node-agent", greeting, worker }, options, system, scope);
  const { log, health, metrics } = program;
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
