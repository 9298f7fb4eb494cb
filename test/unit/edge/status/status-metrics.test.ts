import { expect, test } from "bun:test";
import { registerStatusMetrics } from "../../../../edge/status/status-metrics.ts";
import { milliseconds } from "../../../../src/base/duration.ts";
import { Metrics } from "../../../../src/base/metrics.ts";
import { FAILED } from "../../../support/agent-handlers.ts";

test("a scrape says version, readiness, conditions and the worst stall since the last one", () => {
  const metrics = new Metrics("selvedge");
  const stalls = [milliseconds(2500), milliseconds(0)];
  registerStatusMetrics(metrics, {
    version: "0.1.0",
    components: () => [
      { name: "service", state: "running" },
      { name: "dns", state: "running" },
      { name: "cache", state: "disabled" },
    ],
    conditions: () => [FAILED],
    takeWorstLags: () => ({ main: stalls.shift() ?? milliseconds(0), dns: milliseconds(0) }),
  });
  const samples = () =>
    metrics
      .render()
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
  expect(samples()).toEqual([
    'selvedge_build_info{version="0.1.0"} 1',
    'selvedge_ready{component="service"} 1',
    'selvedge_ready{component="dns"} 0',
    'selvedge_health{component="dns",code="DNS_BIND_FAILED",severity="failed"} 1',
    'selvedge_event_loop_lag_seconds{thread="main"} 2.5',
    'selvedge_event_loop_lag_seconds{thread="dns"} 0',
  ]);
  expect(samples()).toContain('selvedge_event_loop_lag_seconds{thread="main"} 0');
});
