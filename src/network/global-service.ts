import type { Ip } from "../base/ip.ts";

/** Where a service is reached in one cluster: by its own addresses there or, where it is headless, one pod's. */
export interface GlobalEndpoint {
  readonly addresses: readonly Ip[];
  /** The pod's name below its cluster's, in lower case. */
  readonly hostname: string | undefined;
  /** In lower case. */
  readonly cluster: string | undefined;
  readonly zone: string | undefined;
  readonly region: string | undefined;
}

/** A service of several clusters (FabEdge's GlobalService), as far as names need it. */
export interface GlobalService {
  readonly namespace: string;
  readonly name: string;
  readonly headless: boolean;
  readonly endpoints: readonly GlobalEndpoint[];
}

/** Where this node is, in the words of GlobalServices. */
export interface Locality {
  /** In lower case; undefined: this node has not heard which cluster it is of. */
  readonly cluster: string | undefined;
  readonly zone: string;
  readonly region: string;
}

/**
 * The cluster of an endpoint of the fabric, "paris" of "paris.e1", in lower case. Names of nodes have dots of their own.
 *
 * @returns undefined where the endpoint is another node's
 */
export function clusterOfEndpoint(endpoint: string, nodeName: string): string | undefined {
  const [name, suffix] = [endpoint.toLowerCase(), `.${nodeName.toLowerCase()}`];
  return name.endsWith(suffix) && name.length > suffix.length ? name.slice(0, -suffix.length) : undefined;
}
