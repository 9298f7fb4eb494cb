import { parseIp } from "../../base/ip.ts";
import type { DecodeError, Result } from "../../base/result.ts";
import type { GlobalEndpoint, GlobalService } from "../../network/global-service.ts";
import { type JsonView, parseJson } from "../json-view.ts";
import { optionalName } from "./endpoint-slice.ts";
import { readName, readNamespace } from "./metadata.ts";
import { ADDRESS_LENGTH_MAX } from "./service.ts";

/** Our CRD's bound; FabEdge's own has none, and there etcd's 1.5 MB for an object ends it. */
export const GLOBAL_ENDPOINTS_MAX = 4096;
/** Our CRD's bound, which is discovery.k8s.io/v1's for the endpoints that these are made of. */
export const GLOBAL_ADDRESSES_MAX = 100;

/** Reads dns.fabedge.io/v1alpha1 GlobalService. */
export function parseGlobalService(json: unknown): Result<GlobalService, DecodeError> {
  return parseJson(json, (object) => {
    const spec = object.field("spec");
    return {
      namespace: readNamespace(object),
      name: readName(object),
      headless: spec.field("type").oneOf(["ClusterIP", "Headless"], "ClusterIP") === "Headless",
      endpoints: spec.field("endpoints").list(GLOBAL_ENDPOINTS_MAX, readEndpoint),
    };
  });
}

function readEndpoint(endpoint: JsonView): GlobalEndpoint {
  return {
    addresses: endpoint
      .field("addresses")
      .list(GLOBAL_ADDRESSES_MAX, (address) => address.parsed(ADDRESS_LENGTH_MAX, parseIp)),
    hostname: optionalName(endpoint.field("hostname"))?.toLowerCase(),
    cluster: optionalName(endpoint.field("cluster"))?.toLowerCase(),
    zone: optionalName(endpoint.field("zone")),
    region: optionalName(endpoint.field("region")),
  };
}
