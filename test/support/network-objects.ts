import { type Ip, type Prefix, parseIp, parsePrefix } from "../../src/base/ip.ts";
import type { Endpoint, EndpointSlice } from "../../src/network/endpoint.ts";
import type { GlobalService } from "../../src/network/global-service.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";
import type { Service } from "../../src/network/service.ts";
import { ServiceIndex } from "../../src/network/service-index.ts";
import { type DnsName, lowerName, parseName } from "../../src/wire/dns-name.ts";

export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.error.why}`);
  return parsed.value;
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.error.why}`);
  return parsed.value;
}

/** In lower case, as the tables have names. */
export function dnsName(text: string): DnsName {
  const parsed = parseName(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.error.why}`);
  return lowerName(parsed.value);
}

/** A ClusterIP service with one named port, unless told otherwise. */
export function makeService(key: string, over: Partial<Service> = {}): Service {
  const [namespace = "", name = ""] = key.split("/");
  return {
    namespace,
    name,
    created: "2026-01-01T00:00:00Z",
    type: "ClusterIP",
    headless: false,
    clusterIps: [],
    externalName: undefined,
    externalIps: [],
    loadBalancerIps: [],
    loadBalancerSourceRanges: [],
    ports: [{ name: "http", protocol: "TCP", port: 80, nodePort: undefined }],
    affinitySeconds: undefined,
    internalTrafficPolicy: "Cluster",
    externalTrafficPolicy: "Cluster",
    trafficDistribution: undefined,
    healthCheckNodePort: undefined,
    publishNotReadyAddresses: false,
    foreignProxy: false,
    ...over,
  };
}

export function makeEndpoint(address: string, over: Partial<Endpoint> = {}): Endpoint {
  return {
    addresses: [ip(address)],
    ready: true,
    serving: true,
    terminating: false,
    hostname: undefined,
    nodeName: undefined,
    zone: undefined,
    hintZones: [],
    hintNodes: [],
    ...over,
  };
}

export function makeSlice(
  key: string,
  endpoints: readonly Endpoint[],
  over: Partial<EndpointSlice> = {},
): EndpointSlice {
  const [namespace = "", service = ""] = key.split("/");
  const family = endpoints[0]?.addresses[0]?.includes(":") === true ? 6 : 4;
  const ports = [{ name: "http", protocol: "TCP" as const, port: 8080 }];
  return { namespace, name: `${service}-${family}`, service, family, ports, endpoints, ...over };
}

export function serviceChange(service: Service): ObjectChange {
  return { kind: "Service", key: `${service.namespace}/${service.name}`, value: service };
}

export function sliceChange(slice: EndpointSlice): ObjectChange {
  return { kind: "EndpointSlice", key: `${slice.namespace}/${slice.name}`, value: slice };
}

/** One service of each kind that the specification knows, in the namespaces "shop" and "data". */
export function specificationServices(): readonly ObjectChange[] {
  return [
    serviceChange(makeService("shop/web", { clusterIps: [ip("10.96.0.10"), ip("fd00:96::10")] })),
    serviceChange(makeService("shop/v4", { clusterIps: [ip("10.96.0.11")] })),
    sliceChange(makeSlice("shop/v4", [makeEndpoint("10.1.0.1"), makeEndpoint("10.1.0.2")])),
    serviceChange(makeService("data/db", { headless: true })),
    sliceChange(
      makeSlice("data/db", [
        makeEndpoint("10.1.1.1", { hostname: "db-0" }),
        makeEndpoint("10.1.1.2", { hostname: "db-1" }),
        makeEndpoint("10.1.1.3"),
        makeEndpoint("10.1.1.4", { hostname: "db-9", ready: false }),
      ]),
    ),
    sliceChange(makeSlice("data/db", [makeEndpoint("fd00:1::1", { hostname: "db-0" })])),
    serviceChange(makeService("data/early", { headless: true, publishNotReadyAddresses: true })),
    sliceChange(makeSlice("data/early", [makeEndpoint("10.1.2.1", { hostname: "early-0", ready: false })])),
    serviceChange(makeService("data/empty", { headless: true })),
    serviceChange(makeService("shop/outside", { type: "ExternalName", externalName: "www.example.com" })),
    serviceChange(makeService("shop/inside", { type: "ExternalName", externalName: "web.shop.svc.cluster.local" })),
    serviceChange(makeService("shop/foreign", { clusterIps: [ip("10.96.0.12")], foreignProxy: true })),
  ];
}

export function indexOf(changes: readonly ObjectChange[]): {
  readonly index: ServiceIndex;
  readonly changed: ReadonlySet<string>;
} {
  const index = new ServiceIndex();
  return { index, changed: index.apply(changes) };
}

/** @param endpoints each with its addresses, and where it is: "paris/nord/fr", of which the last ones may be left out */
export function makeGlobalService(
  key: string,
  endpoints: readonly (readonly [place: string, addresses: string, hostname?: string])[],
): GlobalService {
  const [namespace = "", name = ""] = key.split("/");
  return {
    namespace,
    name,
    headless: endpoints.some(([, , hostname]) => hostname !== undefined),
    endpoints: endpoints.map(([place, addresses, hostname]) => {
      const [cluster, zone, region] = place.split("/").map((word) => word || undefined);
      return { addresses: addresses.split(" ").map(ip), hostname, cluster, zone, region };
    }),
  };
}

export function globalChange(service: GlobalService): ObjectChange {
  return { kind: "GlobalService", key: `${service.namespace}/${service.name}`, value: service };
}
