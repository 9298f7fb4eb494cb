import { type KubernetesObject, serviceObjects } from "../../lab/service-objects.ts";

/** The first addresses of the range are the API server's own. */
const FIRST_ADDRESS = 256;
export const SERVICE_PORT = 80;
export const ENDPOINT_PORT = 8080;
/** Where all endpoints are, those that services get later too. */
export const ENDPOINT_NETWORK = "10.128.0.0/14";
export const NAMESPACES = 100;

/** Service number i of a benchmark: its address, and its two endpoints, of which the second changes. */
export function serviceAddress(i: number): string {
  const n = FIRST_ADDRESS + i;
  return `10.96.${n >> 8}.${n & 255}`;
}

/** @param which the first or the second */
export function endpointAddress(i: number, which: 0 | 1): string {
  return `10.${128 + which}.${i >> 8}.${i & 255}`;
}

/** One that no service had before. @param change from 0 on */
export function freshEndpointAddress(change: number): string {
  return `10.${130 + (change >> 16)}.${(change >> 8) & 255}.${change & 255}`;
}

/** @param second instead of its usual second endpoint */
export function benchObjects(i: number, second = endpointAddress(i, 1)): readonly [KubernetesObject, KubernetesObject] {
  return serviceObjects({
    name: `svc-${i}`,
    namespace: benchNamespace(i),
    clusterIp: serviceAddress(i),
    targetPort: ENDPOINT_PORT,
    endpoints: [endpointAddress(i, 0), second],
  });
}

export function benchNamespace(i: number): string {
  return `ns-${i % NAMESPACES}`;
}
