import { type Clock, sleep } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import type { Health } from "../../src/base/health.ts";
import type { Scope } from "../../src/base/scope.ts";
import { claimFabric } from "../../src/linux/network-claim.ts";

const RETRY = seconds(1);

/**
 * Waits until this program is the only one of ours that keeps routes and rules of this network: where a node becomes a
 * connector's or ceases to be, one program still ends while the other one starts.
 *
 * @param component that tells why it waits
 */
export async function claimNodeFabric(component: string, health: Health, clock: Clock, scope: Scope): Promise<void> {
  while (!scope.signal.aborted) {
    const claim = claimFabric();
    if (claim !== undefined) {
      health.clear(component, "FABRIC_TAKEN");
      scope.onClose("claim of the node's routes", () => claim[Symbol.dispose]());
      return;
    }
    health.raise({
      component,
      code: "FABRIC_TAKEN",
      severity: "info",
      message: "Cannot keep this node's routes to edges as another Selvedge program does: it is waited for",
      hint: "A connector's node needs no node-agent. Otherwise see what else of Selvedge runs in the node's network.",
    });
    await sleep(clock, RETRY, scope.signal);
  }
}
