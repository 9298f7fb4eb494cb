import type { Ip } from "../../src/base/ip.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { ServiceView } from "../../src/network/service-index.ts";
import type { NodeTopology } from "./topology.ts";

/** What a load balancer asks this node about one service: whether to send it callers. */
export interface HealthCheck {
  /** spec.healthCheckNodePort. */
  readonly port: number;
  /** Ready endpoints on this node. */
  readonly localEndpoints: number;
}

/**
 * Only a load balancer's service with externalTrafficPolicy Local has health checks: it is the one whose callers a
 * node without endpoints drops. @returns undefined for every other service
 */
export function planHealthCheck({ service, slices }: ServiceView, node: NodeTopology): HealthCheck | undefined {
  const { type, externalTrafficPolicy, healthCheckNodePort: port, publishNotReadyAddresses } = service;
  if (port === undefined || type !== "LoadBalancer" || externalTrafficPolicy !== "Local") return undefined;
  if (service.foreignProxy) return undefined;
  const local = { 4: new Set<Ip | undefined>(), 6: new Set<Ip | undefined>() };
  for (const { family, ports, endpoints } of slices) {
    // Pods that have no port of the name that the service looks for: nobody is led to them.
    if (!ports.some((offered) => offered.port !== undefined)) continue;
    for (const { nodeName, ready, addresses } of endpoints) {
      if (nodeName === node.name && (ready || publishNotReadyAddresses)) local[family].add(addresses[0]);
    }
  }
  // A pod of a service with two families is in both of them.
  return { port, localEndpoints: Math.max(local[4].size, local[6].size) };
}

export interface HealthCheckAnswer {
  readonly status: 200 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** As kube-proxy answers: load balancers look at the status, some at the weight, and people at the body. */
export function formatHealthCheck(key: ObjectKey, localEndpoints: number): HealthCheckAnswer {
  const [namespace, name] = key.split("/");
  return {
    status: localEndpoints > 0 ? 200 : 503,
    headers: {
      "Content-Type": "application/json",
      "X-Content-Type-Options": "nosniff",
      "X-Load-Balancing-Endpoint-Weight": String(localEndpoints),
    },
    body: `${JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy: true })}\n`,
  };
}
