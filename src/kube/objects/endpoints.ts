import { type Family, ipFamily } from "../../base/ip.ts";
import type { DecodeError, Result } from "../../base/result.ts";
import type { Endpoint, EndpointSlice } from "../../network/endpoint.ts";
import { type JsonView, parseJson } from "../json-view.ts";
import { optionalName, readEndpointPort, SLICE_PORTS_MAX } from "./endpoint-slice.ts";
import { readName, readNamespace } from "./metadata.ts";
import { readIp } from "./service.ts";

/** One subset for each set of ports; pods of one service rarely differ in more than two or three. */
export const ENDPOINTS_SUBSETS_MAX = 256;
/** The endpoints controller cuts at 1,000; hand-written ones may be longer. */
export const ENDPOINTS_ADDRESSES_MAX = 5000;

/** Reads a v1 Endpoints object as the slices that say the same: one for each subset and address family. */
export function parseEndpoints(json: unknown): Result<readonly EndpointSlice[], DecodeError> {
  return parseJson(json, (object) => {
    const namespace = readNamespace(object);
    const service = readName(object);
    return object
      .field("subsets")
      .array(ENDPOINTS_SUBSETS_MAX)
      .flatMap((subset, i) => {
        const ports = subset.field("ports").list(SLICE_PORTS_MAX, readEndpointPort);
        const all = [...readAddresses(subset, "addresses", true), ...readAddresses(subset, "notReadyAddresses", false)];
        return ([4, 6] as const).flatMap((family): EndpointSlice[] => {
          const endpoints = all.filter((a) => a.family === family).map((a) => a.endpoint);
          if (endpoints.length === 0) return [];
          return [{ namespace, name: `${service}-${i}-ipv${family}`, service, family, ports, endpoints }];
        });
      });
  });
}

function readAddresses(
  subset: JsonView,
  field: "addresses" | "notReadyAddresses",
  ready: boolean,
): readonly { readonly family: Family; readonly endpoint: Endpoint }[] {
  return subset.field(field).list(ENDPOINTS_ADDRESSES_MAX, (address) => {
    const ip = readIp(address.field("ip"));
    return {
      family: ipFamily(ip),
      endpoint: {
        addresses: [ip],
        ready,
        serving: ready,
        terminating: false,
        hostname: optionalName(address.field("hostname")),
        nodeName: optionalName(address.field("nodeName")),
        zone: undefined,
        hintZones: [],
        hintNodes: [],
      },
    };
  });
}
