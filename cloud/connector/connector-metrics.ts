import type { Health } from "../../src/base/health.ts";
import type { Metrics } from "../../src/base/metrics.ts";
import type { ConnectorStatus } from "./connector.ts";

/** What a connector says of itself, each time that it is asked. */
export function registerConnector(
  metrics: Metrics,
  connector: { readonly status: ConnectorStatus },
  health: Health,
): void {
  const status = () => connector.status;
  metrics.gauge("connector_edges", "Edges that may come to the connectors.", () => status().edges);
  metrics.gauge("connector_edges_held", "Edges that this connector holds.", () => status().held);
  metrics.gauge("connector_charon", "1 while charon answers.", () => Number(status().charon.phase === "connected"));
  metrics.gauge("connector_connected", "1 while the API server answers.", () =>
    Number(status().kinds.every(({ connected }) => connected)),
  );
  metrics.gauge("health", "1 for each condition that holds.", () =>
    health.list().map(({ component, code, severity }) => [{ component, code, severity }, 1] as const),
  );
}
