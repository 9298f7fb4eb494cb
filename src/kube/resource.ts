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

export const SERVICES: Resource = { group: "", version: "v1", plural: "services", kind: "Service", namespaced: true };
export const ENDPOINTS: Resource = {
  group: "",
  version: "v1",
  plural: "endpoints",
  kind: "Endpoints",
  namespaced: true,
};
export const NODES: Resource = { group: "", version: "v1", plural: "nodes", kind: "Node", namespaced: false };
export const ENDPOINT_SLICES: Resource = {
  group: "discovery.k8s.io",
  version: "v1",
  plural: "endpointslices",
  kind: "EndpointSlice",
  namespaced: true,
};

/** "v1" or "discovery.k8s.io/v1", as an object's apiVersion is written. */
export function apiVersion(resource: Resource): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** The path of the whole collection, all namespaces. */
export function collectionPath(resource: Resource): string {
  return `${resource.group === "" ? "/api" : "/apis"}/${apiVersion(resource)}/${resource.plural}`;
}
