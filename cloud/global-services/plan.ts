import type { Ip } from "../../src/base/ip.ts";
import { sameValue } from "../../src/kube/object-store.ts";
import { GLOBAL_ENDPOINTS_MAX } from "../../src/kube/objects/global-service.ts";
import type { ExportedEndpoint, ExportedPort, ExportedService, ExportedSlice } from "./exported-service.ts";
import { clusterOf, type FoundGlobalService, type GlobalServiceSpec } from "./global-service.ts";

/** Where this cluster is, as clients of others choose by it. */
export interface Place {
  readonly cluster: string;
  readonly zone: string;
  readonly region: string;
}

/** What is exported of a Service, or why it is not, or not whole. */
export interface Export {
  /** Undefined: there is nothing that another cluster could reach. */
  readonly spec: GlobalServiceSpec | undefined;
  readonly problem: ExportProblem | undefined;
}

export interface ExportProblem {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export type GlobalServiceStep =
  | { readonly step: "keep" }
  | { readonly step: "delete" }
  | { readonly step: "create"; readonly spec: GlobalServiceSpec }
  | { readonly step: "change"; readonly spec: GlobalServiceSpec };

/**
 * A service's own addresses, or, where it is headless, those of each of its pods that are ready; as many as fit beside
 * those of other clusters.
 *
 * @param found the GlobalService that is there
 */
export function planExport(
  key: string,
  service: ExportedService,
  slices: Iterable<ExportedSlice>,
  place: Place,
  found?: FoundGlobalService,
): Export {
  const { headless, clusterIps } = service;
  if (!headless && clusterIps.length === 0) return { spec: undefined, problem: notReachable(key, service) };
  const own = headless ? joinFamilies(slices).map(endpointJson) : [{ addresses: clusterIps }];
  const others = othersOf(found, place).length;
  const endpoints = own.slice(0, GLOBAL_ENDPOINTS_MAX - others).map((endpoint) => ({ ...endpoint, ...place }));
  const spec = { type: headless ? "Headless" : "ClusterIP", ports: service.ports.map(portJson), endpoints } as const;
  return { spec, problem: endpoints.length < own.length ? tooMany(key, own.length, others) : undefined };
}

/**
 * What to do with the GlobalService: only endpoints of this cluster are this operator's; what it is, and its ports, are
 * what this cluster says as long as it has the service.
 *
 * @param exported as it was planned beside `found`; undefined: this cluster does not export it, or no longer
 */
export function planGlobalService(
  place: Place,
  exported: GlobalServiceSpec | undefined,
  found: FoundGlobalService | undefined,
): GlobalServiceStep {
  if (found === undefined) return exported === undefined ? { step: "keep" } : { step: "create", spec: exported };
  const others = othersOf(found, place);
  if (exported === undefined) {
    const wasOurs = found.ours || others.length < found.spec.endpoints.length;
    if (others.length === 0 && wasOurs) return { step: "delete" };
    if (others.length === found.spec.endpoints.length) return { step: "keep" };
    return { step: "change", spec: { ...found.spec, endpoints: others } };
  }
  // Others' stay in front, and are not moved by what changes here.
  const spec = { ...exported, endpoints: [...others, ...exported.endpoints] };
  return sameValue(spec, found.spec) ? { step: "keep" } : { step: "change", spec };
}

function othersOf(found: FoundGlobalService | undefined, { cluster }: Place): GlobalServiceSpec["endpoints"] {
  return (found?.spec.endpoints ?? []).filter((endpoint) => clusterOf(endpoint) !== cluster);
}

/** A pod of both families is in two slices, and one endpoint with two addresses; sorted, so that its place is its own. */
function joinFamilies(slices: Iterable<ExportedSlice>): readonly ExportedEndpoint[] {
  const joined = new Map<string, ExportedEndpoint>();
  for (const { endpoints } of [...slices].sort((a, b) => a.family - b.family)) {
    for (const endpoint of endpoints) {
      const key = identityOf(endpoint);
      const known = joined.get(key)?.addresses ?? [];
      joined.set(key, { ...endpoint, addresses: [...new Set<Ip>([...known, ...endpoint.addresses])] });
    }
  }
  return [...joined].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}

/** An endpoint that somebody wrote by hand may be no pod. */
function identityOf({ addresses, hostname, target }: ExportedEndpoint): string {
  if (target !== undefined) return `${target.kind}/${target.namespace}/${target.name}`;
  return hostname === "" ? `address/${addresses.join()}` : `hostname/${hostname}`;
}

function endpointJson({ addresses, hostname, target }: ExportedEndpoint) {
  return {
    addresses,
    ...(hostname === "" ? {} : { hostname }),
    ...(target === undefined ? {} : { targetRef: target }),
  };
}

function portJson({ name, protocol, appProtocol, port }: ExportedPort) {
  return {
    ...(name === "" ? {} : { name }),
    protocol,
    ...(appProtocol === "" ? {} : { appProtocol }),
    port,
  };
}

function notReachable(key: string, { isAlias }: ExportedService): ExportProblem {
  const why = isAlias ? "it is of type ExternalName" : "it has no cluster IP";
  return {
    code: "EXPORT_REFUSED",
    message: `Cannot export Service ${key} to other clusters as ${why}`,
    hint: "Take the label fabedge.io/global-service away, or give the Service another type.",
  };
}

function tooMany(key: string, count: number, others: number): ExportProblem {
  return {
    code: "EXPORT_CUT",
    message: `Cannot export all endpoints of Service ${key} as a GlobalService has at most ${GLOBAL_ENDPOINTS_MAX}: current value is ${count} and ${others} of other clusters`,
    hint: "Export a Service with a cluster IP, here or in the other clusters: it is one endpoint.",
  };
}
