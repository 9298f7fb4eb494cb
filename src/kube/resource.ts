/** One kind of the Kubernetes API, and where its collection lives. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** The word in the path: "endpointslices". */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface ObjectName {
  /** undefined for a cluster-scoped object. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** Which objects of a kind: all of them, unless told. */
export interface Selection {
  readonly namespace?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
}

export const SERVICES: Resource = { group: "", version: "v1", plural: "services", kind: "Service", namespaced: true };
export const ENDPOINTS: Resource = {
  group: "",
  version: "v1",
  plural: "endpoints",
  kind: "Endpoints",
  namespaced: true,
};
export const NODES: Resource = { group: "", version: "v1", plural: "nodes", kind: "Node", namespaced: false };
export const CONFIG_MAPS: Resource = {
  group: "",
  version: "v1",
  plural: "configmaps",
  kind: "ConfigMap",
  namespaced: true,
};
export const SECRETS: Resource = { group: "", version: "v1", plural: "secrets", kind: "Secret", namespaced: true };
export const DEPLOYMENTS: Resource = {
  group: "apps",
  version: "v1",
  plural: "deployments",
  kind: "Deployment",
  namespaced: true,
};
export const DAEMON_SETS: Resource = {
  group: "apps",
  version: "v1",
  plural: "daemonsets",
  kind: "DaemonSet",
  namespaced: true,
};
export const PODS: Resource = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true };
export const LEASES: Resource = {
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
  namespaced: true,
};
export const EVENTS: Resource = {
  group: "events.k8s.io",
  version: "v1",
  plural: "events",
  kind: "Event",
  namespaced: true,
};
export const ENDPOINT_SLICES: Resource = {
  group: "discovery.k8s.io",
  version: "v1",
  plural: "endpointslices",
  kind: "EndpointSlice",
  namespaced: true,
};
export const COMMUNITIES: Resource = {
  group: "fabedge.io",
  version: "v1alpha1",
  plural: "communities",
  kind: "Community",
  namespaced: false,
};
export const CLUSTERS: Resource = {
  group: "fabedge.io",
  version: "v1alpha1",
  plural: "clusters",
  kind: "Cluster",
  namespaced: false,
};
/** FabEdge's: what a service is in all clusters together. */
export const GLOBAL_SERVICES: Resource = {
  group: "dns.fabedge.io",
  version: "v1alpha1",
  plural: "globalservices",
  kind: "GlobalService",
  namespaced: true,
};
/** Calico's own objects, in its Kubernetes datastore. */
export const IPAM_BLOCKS: Resource = {
  group: "crd.projectcalico.org",
  version: "v1",
  plural: "ipamblocks",
  kind: "IPAMBlock",
  namespaced: false,
};
export const IP_POOLS: Resource = {
  group: "crd.projectcalico.org",
  version: "v1",
  plural: "ippools",
  kind: "IPPool",
  namespaced: false,
};

/** "v1" or "discovery.k8s.io/v1", as an object's apiVersion is written. */
export function apiVersion(resource: Resource): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** @param namespace only this one's objects; undefined: all namespaces, or a cluster-scoped resource */
export function collectionPath(resource: Resource, namespace?: string): string {
  const folder = namespace === undefined ? "" : `namespaces/${encodeURIComponent(namespace)}/`;
  return `${resource.group === "" ? "/api" : "/apis"}/${apiVersion(resource)}/${folder}${resource.plural}`;
}

/** Throws where a namespaced resource is asked for without a namespace, or the other way round. */
export function objectPath(resource: Resource, { namespace, name }: ObjectName): string {
  if (resource.namespaced !== (namespace !== undefined)) {
    throw new Error(`Cannot name a ${resource.kind} as its scope is another: current value is ${namespace}/${name}`);
  }
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
}
