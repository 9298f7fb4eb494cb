import type { Duration } from "../../src/base/duration.ts";
import type { Condition } from "../../src/base/health.ts";
import type { Metrics } from "../../src/base/metrics.ts";
import type { ComponentState } from "../../src/network/agent-report.ts";
import { checkReadiness } from "./readiness.ts";

export interface StatusFacts {
  readonly version: string;
  components(): readonly ComponentState[];
  conditions(): readonly Condition[];
  /** Watchdog.takeWorstLag of each thread: every scrape starts anew. */
  takeWorstLags(): Readonly<Record<string, Duration>>;
}

/** What every scrape says about the agent as a whole. */
export function registerStatusMetrics(metrics: Metrics, facts: StatusFacts): void {
  metrics.gauge("build_info", "The version that runs; always 1.", () => [[{ version: facts.version }, 1]]);
  metrics.gauge("ready", "Whether a component does its job, as /readyz says.", () =>
    checkReadiness(facts.components(), facts.conditions()).map(({ name, ok }) => [{ component: name }, ok ? 1 : 0]),
  );
  metrics.gauge("health", "Conditions that hold now, one each; docs/errors.md explains the codes.", () =>
    facts.conditions().map(({ component, code, severity }) => [{ component, code, severity }, 1]),
  );
  metrics.gauge("event_loop_lag_seconds", "The longest stall of a thread's event loop since the last scrape.", () =>
    Object.entries(facts.takeWorstLags()).map(([thread, lag]) => [{ thread }, lag / 1000]),
  );
}
