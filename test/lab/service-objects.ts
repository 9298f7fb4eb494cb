/** A Kubernetes object as JSON, and, because YAML contains JSON, as a manifest. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface ServiceDescription {
  readonly name: string;
  readonly namespace: string;
  readonly clusterIp: string;
  /** Where its endpoints listen; the service's own port is 80, named http. */
  readonly targetPort: number;
  readonly endpoints: readonly string[];
}

const PORT = { name: "http", protocol: "TCP" };

/** A service of several clusters, as FabEdge's operator or ours makes it. @param endpoints an address of each cluster */
export function globalServiceObject(name: string, endpoints: Readonly<Record<string, string>>): KubernetesObject {
  return {
    apiVersion: "dns.fabedge.io/v1alpha1",
    kind: "GlobalService",
    metadata: { name, namespace: "default" },
    spec: {
      type: "ClusterIP",
      ports: [{ name: "http", protocol: "TCP", port: 80 }],
      endpoints: Object.entries(endpoints).map(([place, address]) => {
        const [cluster, zone = "default", region = "default"] = place.split("/");
        return { addresses: [address], cluster, zone, region };
      }),
    },
  };
}

/** A Service without selector and its EndpointSlice: what a cluster's controllers would have made of pods. */
export function serviceObjects(description: ServiceDescription): readonly [KubernetesObject, KubernetesObject] {
  const { name, namespace, clusterIp, targetPort, endpoints } = description;
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: { clusterIP: clusterIp, clusterIPs: [clusterIp], ports: [{ ...PORT, port: 80, targetPort }] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-1`, namespace, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ ...PORT, port: targetPort }],
      endpoints: endpoints.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    },
  ];
}

/** One file with a document for each object. */
export function formatManifest(objects: readonly KubernetesObject[]): string {
  return objects.map((object) => `${Bun.YAML.stringify(object, null, 2)}\n`).join("---\n");
}
