import { type Ip, parseIp, parsePrefix } from "../../base/ip.ts";
import type { DecodeError, Result } from "../../base/result.ts";
import type { Protocol, Service, ServicePort } from "../../network/service.ts";
import { type JsonView, parseJson } from "../json-view.ts";
import { NAME_LENGTH_MAX, readCreated, readName, readNamespace } from "./metadata.ts";

/** Another program proxies a service that carries this label. */
export const SERVICE_PROXY_NAME = "service.kubernetes.io/service-proxy-name";

/** The API sets no bound of its own; this many ports need 1 MB, about what an object may take. */
export const SERVICE_PORTS_MAX = 4096;
/** externalIPs, load-balancer addresses and source ranges: far above what cloud providers allow. */
export const SERVICE_ADDRESSES_MAX = 1024;
/** One for each family. */
export const SERVICE_CLUSTER_IPS_MAX = 2;

/** An address or prefix as text; RFC 5952 needs 39 + 4, ::ffff:255.255.255.255 and blanks fit. */
export const ADDRESS_LENGTH_MAX = 64;
/** IANA_SVC_NAME or a DNS label. */
export const PORT_NAME_LENGTH_MAX = 63;
export const PROTOCOLS = ["TCP", "UDP", "SCTP"] as const satisfies readonly Protocol[];
const PORT_MAX = 65_535;
/** The API's own bound and default for ClientIP affinity: one day, three hours. */
const AFFINITY_SECONDS_MAX = 86_400;
const AFFINITY_SECONDS_DEFAULT = 10_800;

/** Reads a v1 Service with the API server's defaults filled in. */
export function parseService(json: unknown): Result<Service, DecodeError> {
  return parseJson(json, readService);
}

function readService(object: JsonView): Service {
  const spec = object.field("spec");
  const type = spec.field("type").oneOf(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"], "ClusterIP");
  const clusterIp = spec.field("clusterIP").optionalString(ADDRESS_LENGTH_MAX) ?? "";
  const headless = clusterIp === "None";
  const labels = object.field("metadata").field("labels");
  return {
    namespace: readNamespace(object),
    name: readName(object),
    created: readCreated(object),
    type,
    headless,
    clusterIps: headless || type === "ExternalName" ? [] : readClusterIps(spec),
    externalName: type === "ExternalName" ? spec.field("externalName").string(NAME_LENGTH_MAX) : undefined,
    externalIps: spec.field("externalIPs").list(SERVICE_ADDRESSES_MAX, readIp),
    loadBalancerIps: readLoadBalancerIps(object.field("status").field("loadBalancer")),
    loadBalancerSourceRanges: spec
      .field("loadBalancerSourceRanges")
      .list(SERVICE_ADDRESSES_MAX, (range) => range.parsed(ADDRESS_LENGTH_MAX, parsePrefix)),
    ports: spec.field("ports").list(SERVICE_PORTS_MAX, readPort),
    affinitySeconds: readAffinity(spec),
    internalTrafficPolicy: spec.field("internalTrafficPolicy").oneOf(["Cluster", "Local"], "Cluster"),
    externalTrafficPolicy: spec.field("externalTrafficPolicy").oneOf(["Cluster", "Local"], "Cluster"),
    trafficDistribution: readTrafficDistribution(spec),
    healthCheckNodePort: optionalPort(spec.field("healthCheckNodePort")),
    publishNotReadyAddresses: spec.field("publishNotReadyAddresses").optionalBoolean() ?? false,
    foreignProxy: labels.field(SERVICE_PROXY_NAME).optionalString(NAME_LENGTH_MAX) !== undefined,
  };
}

export function readIp(address: JsonView): Ip {
  return address.parsed(ADDRESS_LENGTH_MAX, parseIp);
}

function readClusterIps(spec: JsonView): readonly Ip[] {
  const several = spec.field("clusterIPs").array(SERVICE_CLUSTER_IPS_MAX);
  if (several.length > 0) return several.map(readIp);
  // Objects from before dual stack, and hand-written ones, have the single field only.
  const single = spec.field("clusterIP");
  return (single.optionalString(ADDRESS_LENGTH_MAX) ?? "") === "" ? [] : [readIp(single)];
}

function readLoadBalancerIps(loadBalancer: JsonView): readonly Ip[] {
  return loadBalancer
    .field("ingress")
    .array(SERVICE_ADDRESSES_MAX)
    .filter((entry) => (entry.field("ip").optionalString(ADDRESS_LENGTH_MAX) ?? "") !== "")
    .filter((entry) => entry.field("ipMode").oneOf(["VIP", "Proxy"], "VIP") === "VIP")
    .map((entry) => readIp(entry.field("ip")));
}

function readPort(port: JsonView): ServicePort {
  return {
    name: port.field("name").optionalString(PORT_NAME_LENGTH_MAX) ?? "",
    protocol: port.field("protocol").oneOf(PROTOCOLS, "TCP"),
    port: port.field("port").integer(1, PORT_MAX),
    nodePort: optionalPort(port.field("nodePort")),
  };
}

function optionalPort(port: JsonView): number | undefined {
  const value = port.optionalInteger(0, PORT_MAX);
  return value === 0 ? undefined : value;
}

function readAffinity(spec: JsonView): number | undefined {
  if (spec.field("sessionAffinity").oneOf(["None", "ClientIP"], "None") === "None") return undefined;
  const timeout = spec.field("sessionAffinityConfig").field("clientIP").field("timeoutSeconds");
  return timeout.optionalInteger(1, AFFINITY_SECONDS_MAX) ?? AFFINITY_SECONDS_DEFAULT;
}

function readTrafficDistribution(spec: JsonView): Service["trafficDistribution"] {
  switch (spec.field("trafficDistribution").optionalString(NAME_LENGTH_MAX)) {
    // KEP-4444: PreferClose is the older name of PreferSameZone.
    case "PreferClose":
    case "PreferSameZone":
      return "PreferSameZone";
    case "PreferSameNode":
      return "PreferSameNode";
    default:
      // The API lets implementations read values that they do not know as "no preference".
      return undefined;
  }
}
