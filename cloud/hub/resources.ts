import { ENDPOINT_SLICES, ENDPOINTS, NODES, type Resource, SERVICES } from "../../src/kube/resource.ts";

const ISTIO = "networking.istio.io";

function istio(kind: string): Resource {
  return { group: ISTIO, version: "v1alpha3", plural: `${kind.toLowerCase()}s`, kind, namespaced: true };
}

/** What the hub serves. Secrets are left out: the hub speaks plain HTTP to whoever asks. */
export const SERVED: readonly Resource[] = [
  SERVICES,
  ENDPOINTS,
  NODES,
  { group: "", version: "v1", plural: "namespaces", kind: "Namespace", namespaced: false },
  { group: "", version: "v1", plural: "configmaps", kind: "ConfigMap", namespaced: true },
  ENDPOINT_SLICES,
  istio("DestinationRule"),
  istio("Gateway"),
  istio("VirtualService"),
];

/** The served resource that an object belongs to, by its apiVersion and kind. */
export function resourceOf(group: string, version: string, kind: string): Resource | undefined {
  return SERVED.find((r) => r.group === group && r.version === version && r.kind === kind);
}
