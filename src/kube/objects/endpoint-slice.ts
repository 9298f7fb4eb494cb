import { parseIp } from "../../base/ip.ts";
import type { DecodeError, Result } from "../../base/result.ts";
import type { Endpoint, EndpointPort, EndpointSlice } from "../../network/endpoint.ts";
import { type JsonView, parseJson } from "../json-view.ts";
import { NAME_LENGTH_MAX, readName, readNamespace } from "./metadata.ts";
import { ADDRESS_LENGTH_MAX, PORT_NAME_LENGTH_MAX, PROTOCOLS } from "./service.ts";

/** Names the Service that a slice speaks for. */
export const SERVICE_NAME = "kubernetes.io/service-name";

/** The API's own bounds (discovery.k8s.io/v1 validation). */
export const SLICE_ENDPOINTS_MAX = 1000;
/** discovery.k8s.io/v1 allows 20,000 ports; every one is one line of the plan. */
export const SLICE_PORTS_MAX = 20_000;
const ENDPOINT_ADDRESSES_MAX = 100;
const HINTS_MAX = 8;
const PORT_MAX = 65_535;

/** @returns undefined for a slice that is valid and not for us: it has no service, or its addresses are names */
export function parseEndpointSlice(json: unknown): Result<EndpointSlice | undefined, DecodeError> {
  return parseJson(json, readEndpointSlice);
}

function readEndpointSlice(object: JsonView): EndpointSlice | undefined {
  const labels = object.field("metadata").field("labels");
  const service = labels.field(SERVICE_NAME).optionalString(NAME_LENGTH_MAX) ?? "";
  const addressType = object.field("addressType");
  if (addressType.absent) addressType.refuse("missing");
  const type = addressType.oneOf(["IPv4", "IPv6", "FQDN"], "FQDN");
  if (service === "" || type === "FQDN") return undefined;
  const family = type === "IPv4" ? 4 : 6;
  return {
    namespace: readNamespace(object),
    name: readName(object),
    service,
    family,
    ports: object.field("ports").list(SLICE_PORTS_MAX, readEndpointPort),
    endpoints: object.field("endpoints").list(SLICE_ENDPOINTS_MAX, (endpoint) => readEndpoint(endpoint, family)),
  };
}

export function readEndpointPort(port: JsonView): EndpointPort {
  return {
    name: port.field("name").optionalString(PORT_NAME_LENGTH_MAX) ?? "",
    protocol: port.field("protocol").oneOf(PROTOCOLS, "TCP"),
    port: port.field("port").optionalInteger(1, PORT_MAX),
  };
}

function readEndpoint(endpoint: JsonView, family: 4 | 6): Endpoint {
  const conditions = endpoint.field("conditions");
  // discovery.k8s.io/v1: an unknown ready is true, so is an unknown serving, and an unknown terminating is false.
  const ready = conditions.field("ready").optionalBoolean() ?? true;
  const hints = endpoint.field("hints");
  return {
    addresses: endpoint.field("addresses").list(ENDPOINT_ADDRESSES_MAX, (address) => {
      const ip = address.parsed(ADDRESS_LENGTH_MAX, parseIp);
      return ip.includes(":") === (family === 6) ? ip : address.refuse(`not an IPv${family} address`);
    }),
    ready,
    serving: conditions.field("serving").optionalBoolean() ?? true,
    terminating: conditions.field("terminating").optionalBoolean() ?? false,
    hostname: optionalName(endpoint.field("hostname")),
    nodeName: optionalName(endpoint.field("nodeName")),
    zone: optionalName(endpoint.field("zone")),
    hintZones: hints.field("forZones").list(HINTS_MAX, readHint),
    hintNodes: hints.field("forNodes").list(HINTS_MAX, readHint),
  };
}

function readHint(hint: JsonView): string {
  return hint.field("name").string(NAME_LENGTH_MAX);
}

export function optionalName(name: JsonView): string | undefined {
  return name.optionalString(NAME_LENGTH_MAX) || undefined;
}
