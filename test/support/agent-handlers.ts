import type { ControlHandlers } from "../../edge/status/control.ts";
import type { Condition } from "../../src/base/health.ts";
import type { Ip } from "../../src/base/ip.ts";
import type { ServiceDetail, StatusReport } from "../../src/network/agent-report.ts";
import { DOWN, UP } from "./tunnel-reports.ts";

export const WEB: ServiceDetail = {
  namespace: "default",
  name: "web",
  type: "NodePort",
  headless: false,
  clusterIps: ["10.96.0.10" as Ip],
  externalIps: [],
  externalName: null,
  ports: [
    {
      name: "http",
      protocol: "TCP",
      port: 80,
      nodePort: 30080,
      backends: [{ address: "10.244.1.5" as Ip, port: 8080, local: true }],
      endpoints: 2,
    },
  ],
};

export const DATABASE: ServiceDetail = {
  ...WEB,
  namespace: "shop",
  name: "database",
  type: "ClusterIP",
  headless: true,
  clusterIps: [],
  ports: [],
};

export const FAILED: Condition = {
  code: "DNS_BIND_FAILED",
  component: "dns",
  severity: "failed",
  message: "Cannot answer DNS queries on 169.254.25.10:53: another program listens there",
  hint: "Stop the other program.",
  since: Date.UTC(2026, 10, 21, 5, 0, 0),
};

export function statusReport(conditions: readonly Condition[] = []): StatusReport {
  return {
    agent: { version: "0.1.0", node: "edge-1", pid: 42, started: "2026-11-21T05:00:00.000Z", uptimeSeconds: 3725 },
    ready: conditions.every((condition) => condition.severity !== "failed"),
    components: [
      { name: "cache", state: "running" },
      { name: "service", state: "running" },
      { name: "dns", state: "running" },
    ],
    source: {
      type: "metaserver",
      url: "http://127.0.0.1:10550",
      connected: false,
      lastHeard: "2026-11-21T05:01:00.000Z",
      stalenessSeconds: 3665,
      kinds: [{ kind: "Service", state: "waiting", objects: 2, lastHeard: "2026-11-21T05:01:00.000Z" }],
    },
    cache: { path: "/var/lib/selvedge/cache.db", objects: 5, sizeBytes: 40960 },
    service: {
      enabled: true,
      mode: "nftables",
      reason: "the kernel has nftables",
      services: 2,
      endpoints: 3,
      lastApplied: "2026-11-21T05:01:00.000Z",
    },
    dns: {
      enabled: true,
      listening: ["169.254.25.10:53"],
      domain: "cluster.local",
      upstreams: [{ address: "192.0.2.53:53", healthy: false }],
      names: 4,
      globalNames: 0,
      cached: 17,
    },
    fabric: {
      name: "paris.edge-1",
      peers: 3,
      tunnelsUp: 2,
      certificateEnds: "2027-02-19T05:00:00.000Z",
      charon: { state: "connected", version: "5.9.8" },
    },
    conditions: conditions.map((condition) => ({ ...condition, since: new Date(condition.since).toISOString() })),
  };
}

/** Handlers that answer from constants; a test replaces those that it is about. */
export function agentHandlers(replaced: Partial<ControlHandlers> = {}): ControlHandlers {
  return {
    status: async () => statusReport(),
    statusText: async () => "Node edge-1\n",
    services: (filter) =>
      [WEB, DATABASE].filter(
        (service) =>
          (filter.namespace ?? service.namespace) === service.namespace &&
          (filter.name ?? service.name) === service.name,
      ),
    tunnels: async () => [UP, DOWN],
    resolve: async (name, type) => ({ name, type, rcode: "NOERROR", answers: [], from: "cluster", durationSeconds: 0 }),
    components: () => statusReport().components,
    conditions: () => [],
    alive: () => true,
    metrics: async () => "selvedge_up 1\n",
    version: () => "0.1.0",
    ...replaced,
  };
}
