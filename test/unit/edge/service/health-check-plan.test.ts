import { describe, expect, test } from "bun:test";
import { formatHealthCheck, planHealthCheck } from "../../../../edge/service/health-check-plan.ts";
import type { Endpoint, EndpointSlice } from "../../../../src/network/endpoint.ts";
import type { Service } from "../../../../src/network/service.ts";
import { ip, makeEndpoint, makeService } from "../../../support/network-objects.ts";

const NODE = { name: "here", zone: undefined, addresses: [] };
const BALANCED = { type: "LoadBalancer", externalTrafficPolicy: "Local", healthCheckNodePort: 31_000 } as const;

const HTTP = { name: "http", protocol: "TCP", port: 8080 } as const;

function slice(
  family: 4 | 6,
  list: readonly (readonly [string, Partial<Endpoint>?])[],
  ports: EndpointSlice["ports"] = [HTTP],
): EndpointSlice {
  const endpoints = list.map(([address, over]) => makeEndpoint(address, { nodeName: "here", ...over }));
  return { namespace: "ns", name: `web-${family}`, service: "web", family, ports, endpoints };
}

function plan(over: Partial<Service>, ...slices: readonly EndpointSlice[]) {
  const service = makeService("ns/web", { clusterIps: [ip("10.96.0.1")], ...BALANCED, ...over });
  return planHealthCheck({ key: "ns/web", service, slices }, NODE);
}

describe("the health check of a service", () => {
  const none: readonly (readonly [string, Partial<Service>])[] = [
    ["has no port for it", { healthCheckNodePort: undefined }],
    ["is not a load balancer's", { type: "NodePort" }],
    ["has policy Cluster", { externalTrafficPolicy: "Cluster" }],
    ["is another proxy's", { foreignProxy: true }],
  ];
  test.each(none)("is none when it %s", (_, over) => {
    expect(plan(over)).toBeUndefined();
  });

  test("counts ready endpoints of this node, each once", () => {
    const leaving = { ready: false, serving: true, terminating: true };
    const first = slice(4, [["10.1.0.1"], ["10.1.0.2", { nodeName: "there" }], ["10.1.0.3", leaving]]);
    const second = slice(4, [["10.1.0.1"], ["10.1.0.4"], ["10.1.0.5", { nodeName: undefined }]]);
    expect(plan({}, first, second)).toEqual({ port: 31_000, localEndpoints: 2 });
    expect(plan({ publishNotReadyAddresses: true }, first, second)).toEqual({ port: 31_000, localEndpoints: 3 });
    expect(plan({})).toEqual({ port: 31_000, localEndpoints: 0 });
  });

  test("counts a pod that has both families once", () => {
    expect(plan({}, slice(4, [["10.1.0.1"], ["10.1.0.2"]]), slice(6, [["fd00::1"]]))?.localEndpoints).toBe(2);
  });

  test("does not count pods without a port that the service could lead to", () => {
    const nowhere = [slice(4, [["10.1.0.1"]], []), slice(4, [["10.1.0.2"]], [{ ...HTTP, port: undefined }])];
    expect(plan({}, ...nowhere)?.localEndpoints).toBe(0);
    expect(plan({}, ...nowhere, slice(4, [["10.1.0.3"]]))?.localEndpoints).toBe(1);
  });

  test("is answered with 200 while there are some, and with 503 when there are none", () => {
    const answer = formatHealthCheck("ns/web", 2);
    expect([answer.status, answer.headers["X-Load-Balancing-Endpoint-Weight"]]).toEqual([200, "2"]);
    expect(JSON.parse(answer.body)).toEqual({
      service: { namespace: "ns", name: "web" },
      localEndpoints: 2,
      serviceProxyHealthy: true,
    });
    expect(formatHealthCheck("ns/web", 0).status).toBe(503);
  });
});
