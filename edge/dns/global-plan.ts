import { type Family, type Ip, ipFamily } from "../../src/base/ip.ts";
import type { GlobalEndpoint, GlobalService, Locality } from "../../src/network/global-service.ts";
import { RecordType } from "../../src/wire/dns.ts";
import type { DnsName } from "../../src/wire/dns-name.ts";
import { addressRecord } from "../../src/wire/dns-record.ts";
import type { ServiceNames } from "./plan.ts";
import { CLUSTER_TTL } from "./zone.ts";

/** As many as the largest message has room for: an address takes 16 bytes there at least. */
const GLOBAL_ANSWERS_MAX = 4096;

const NO_DATA: ServiceNames = { kind: "no-data" };
const NO_NAME: ServiceNames = { kind: "no-name" };

/**
 * Answers a question for a service of several clusters, under FabEdge's names.
 *
 * @param below the labels in front of the service's, in lower case: none, for the endpoints that are nearest; a
 *   cluster's, for its own; a pod's and its cluster's
 * @param name the name asked for, in lower case, which the records get
 */
export function planGlobalNames(
  service: GlobalService,
  locality: Locality,
  below: readonly string[],
  name: DnsName,
  type: number,
): ServiceNames {
  if (below.length > 2) return NO_NAME;
  const [cluster, hostname] = below.toReversed();
  const named = service.endpoints.filter(
    (endpoint) =>
      (cluster === undefined || endpoint.cluster === cluster) &&
      (hostname === undefined || endpoint.hostname === hostname),
  );
  if (hostname !== undefined && (!service.headless || named.length === 0)) return NO_NAME;
  const family = familyOf(type);
  // Other types get an empty answer, not the NOTIMP of FabEdge's fabdns: the name exists (RFC 2308 section 2.2), and a
  // resolver that asks for HTTPS or SRV beside A would take an error for the server's and turn away from it.
  if (family === undefined) return NO_DATA;
  const endpoints = named.filter(({ addresses }) => addresses.some((address) => ipFamily(address) === family));
  const chosen = cluster === undefined ? nearest(endpoints, locality) : endpoints;
  const answers = addressesOf(chosen, family).map((address) => addressRecord(name, CLUSTER_TTL, address));
  return answers.length === 0 ? NO_DATA : { kind: "records", answers, additionals: [] };
}

/** Whether a cluster has a part in the service. */
export function hasCluster(service: GlobalService, cluster: string): boolean {
  return service.endpoints.some((endpoint) => endpoint.cluster === cluster);
}

/** Those of the own cluster, or else of the same zone, or else of the same region, or else all. */
function nearest(endpoints: readonly GlobalEndpoint[], locality: Locality): readonly GlobalEndpoint[] {
  for (const place of ["cluster", "zone", "region"] as const) {
    const own = locality[place];
    const near = own === undefined ? [] : endpoints.filter((endpoint) => endpoint[place] === own);
    if (near.length > 0) return near;
  }
  return endpoints;
}

function addressesOf(endpoints: readonly GlobalEndpoint[], family: Family): readonly Ip[] {
  const addresses = new Set(endpoints.flatMap((endpoint) => endpoint.addresses));
  return [...addresses].filter((address) => ipFamily(address) === family).slice(0, GLOBAL_ANSWERS_MAX);
}

function familyOf(type: number): Family | undefined {
  if (type === RecordType.A) return 4;
  return type === RecordType.AAAA ? 6 : undefined;
}
