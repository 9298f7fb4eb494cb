import {
  CLUSTERS,
  COMMUNITIES,
  CONFIG_MAPS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  GLOBAL_SERVICES,
  NODES,
  type Resource,
  SECRETS,
  SERVICES,
} from "../../src/kube/resource.ts";

const ISTIO = "networking.istio.io";

function istio(kind: string): Resource {
  return { group: ISTIO, version: "v1alpha3", plural: `${kind.toLowerCase()}s`, kind, namespaced: true };
}

/** What the hub reads from files. Secrets are left out: it speaks plain HTTP to whoever asks. */
const FROM_FILES: readonly Resource[] = [
  SERVICES,
  ENDPOINTS,
  NODES,
  { group: "", version: "v1", plural: "namespaces", kind: "Namespace", namespaced: false },
  CONFIG_MAPS,
  ENDPOINT_SLICES,
  istio("DestinationRule"),
  istio("Gateway"),
  istio("VirtualService"),
  COMMUNITIES,
  CLUSTERS,
  GLOBAL_SERVICES,
];

/** What the hub serves; Secrets are those that it makes. */
export const SERVED: readonly Resource[] = [...FROM_FILES, SECRETS];

/** The resource that an object of a file belongs to, by its apiVersion and kind. */
export function resourceOf(group: string, version: string, kind: string): Resource | undefined {
  return FROM_FILES.find((r) => r.group === group && r.version === version && r.kind === kind);
}
