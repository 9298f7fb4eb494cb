import { parsePrefix } from "../../base/ip.ts";
import type { DecodeError, Result } from "../../base/result.ts";
import type { Cluster } from "../../network/cluster.ts";
import { parseJson } from "../json-view.ts";
import { readCreated, readGeneration, readName } from "./metadata.ts";
import { ADDRESS_LENGTH_MAX } from "./service.ts";
import { readTunnelEndpoint } from "./tunnel-endpoint.ts";

/** Pods and services, in both families, with room. */
const CLUSTER_CIDRS_MAX = 64;
/** A cluster registers its connector, or a few. */
const CLUSTER_ENDPOINTS_MAX = 64;
/** A JSON Web Token with an RSA-4096 signature has about 800 characters. */
const TOKEN_LENGTH_MAX = 16 * 1024;

export function parseCluster(json: unknown): Result<Cluster, DecodeError> {
  return parseJson(json, (object) => {
    const spec = object.field("spec");
    // FabEdge up to 0.6 spelt it so.
    const endpoints = spec.field("endpoints").absent ? spec.field("endPoints") : spec.field("endpoints");
    return {
      name: readName(object),
      created: readCreated(object),
      generation: readGeneration(object),
      cidrs: spec.field("cidrs").list(CLUSTER_CIDRS_MAX, (cidr) => cidr.parsed(ADDRESS_LENGTH_MAX, parsePrefix)),
      endpoints: endpoints.list(CLUSTER_ENDPOINTS_MAX, readTunnelEndpoint),
      hasToken: (spec.field("token").optionalString(TOKEN_LENGTH_MAX) ?? "") !== "",
    };
  });
}
