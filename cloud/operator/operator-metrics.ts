import type { Metrics } from "../../src/base/metrics.ts";
import type { InformerStatus } from "../../src/kube/informer.ts";

/** What an operator says of itself, each time that it is asked. */
export function registerOperator(
  metrics: Metrics,
  status: () => { readonly leading: boolean; readonly kinds: readonly InformerStatus[] },
  rollout: { readonly unreadyCount: number; readonly waitingCount: number },
): void {
  metrics.gauge("operator_leader", "1 while this process leads.", () => Number(status().leading));
  metrics.gauge(
    "operator_agents_unready",
    "Nodes that live, without an agent's pod that is ready.",
    () => rollout.unreadyCount,
  );
  metrics.gauge(
    "operator_agents_waiting",
    "Agents' pods that wait to be replaced until more are ready.",
    () => rollout.waitingCount,
  );
  metrics.gauge("operator_objects", "Objects in memory, by kind.", () =>
    byKind(
      status().kinds,
      (each) => each.objectCount,
      (a, b) => a + b,
    ),
  );
  metrics.gauge("operator_connected", "1 while the API server answers for a kind.", () =>
    byKind(status().kinds, (each) => Number(each.connected), Math.min),
  );
}

/** The authority's Secret is watched by itself, and is a Secret as others. */
function byKind(
  kinds: readonly InformerStatus[],
  read: (status: InformerStatus) => number,
  join: (a: number, b: number) => number,
) {
  const values = new Map<string, number>();
  for (const status of kinds) {
    const before = values.get(status.kind);
    values.set(status.kind, before === undefined ? read(status) : join(before, read(status)));
  }
  return [...values].map(([kind, value]) => [{ kind }, value] as const);
}
