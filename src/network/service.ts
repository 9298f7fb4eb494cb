import type { Ip, Prefix } from "../base/ip.ts";

export type Protocol = "TCP" | "UDP" | "SCTP";

/** "namespace/name": how every namespaced object is keyed. */
export type ObjectKey = string;

export interface ServicePort {
  /** Empty when a service has one unnamed port. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly nodePort: number | undefined;
}

export type TrafficPolicy = "Cluster" | "Local";

/** A Kubernetes Service as this program needs it: addresses are canonical, defaults are filled in. */
export interface Service {
  readonly namespace: string;
  readonly name: string;
  /** metadata.creationTimestamp; the older of two services owns an address that both claim. */
  readonly created: string;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
  readonly headless: boolean;
  /** Empty for headless and ExternalName services. */
  readonly clusterIps: readonly Ip[];
  readonly externalName: string | undefined;
  readonly externalIps: readonly Ip[];
  /** status.loadBalancer addresses whose ipMode is VIP (the default). */
  readonly loadBalancerIps: readonly Ip[];
  /** Empty means everyone. */
  readonly loadBalancerSourceRanges: readonly Prefix[];
  readonly ports: readonly ServicePort[];
  /** ClientIP affinity's time-out; undefined means none. */
  readonly affinitySeconds: number | undefined;
  readonly internalTrafficPolicy: TrafficPolicy;
  readonly externalTrafficPolicy: TrafficPolicy;
  readonly trafficDistribution: "PreferSameZone" | "PreferSameNode" | undefined;
  readonly healthCheckNodePort: number | undefined;
  readonly publishNotReadyAddresses: boolean;
  /** Another program proxies it: service.kubernetes.io/service-proxy-name is set. */
  readonly foreignProxy: boolean;
}
