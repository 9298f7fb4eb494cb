import type { Condition } from "../base/health.ts";
import type { Ip } from "../base/ip.ts";
import type { Protocol } from "./service.ts";
import type { PeerReport, TunnelReport } from "./tunnel-report.ts";

/** Kubernetes' way to say which meaning the fields of a document have. */
export const API_VERSION = "selvedge.io/v1";

/** The control socket's name in the run directory: where the command line finds the agent. */
export const CONTROL_SOCKET = "selvedge.sock";

/**
 * What an agent says about itself: the documents behind `selvedge -o json` and the control socket. They are an
 * interface of their own (apiVersion selvedge.io/v1): fields are added, never renamed. Unknown is null, times are
 * RFC 3339 in UTC, spans are seconds.
 */
export interface StatusReport {
  readonly agent: AgentReport;
  /** Every part that is switched on does its job, whether or not the cloud is in reach. */
  readonly ready: boolean;
  readonly components: readonly ComponentState[];
  readonly source: SourceReport;
  readonly cache: CacheReport;
  readonly service: ServiceReport;
  readonly dns: DnsReport;
  readonly fabric: FabricReport;
  /** What is wrong now, worst first. */
  readonly conditions: readonly ConditionReport[];
}

export interface AgentReport {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly started: string;
  readonly uptimeSeconds: number;
}

export interface ComponentState {
  /** "cache", "service", "dns", "tunnels": as in Condition.component. */
  readonly name: string;
  readonly state: "starting" | "running" | "disabled";
}

export interface SourceReport {
  /** "metaserver", "yurthub", "lite-apiserver", "api-server", "hub". */
  readonly type: string;
  readonly url: string;
  /** Whether its last answers came, and counted as the cloud's. */
  readonly connected: boolean;
  /** When the cloud last spoke through it; null means never since this agent has a cache. */
  readonly lastHeard: string | null;
  readonly stalenessSeconds: number | null;
  readonly kinds: readonly SourceKindReport[];
}

export interface SourceKindReport {
  /** "Service", "EndpointSlice". */
  readonly kind: string;
  /** "watching"; "waiting" for the cloud; "withheld", where the source gives another kind in its place, or refuses it. */
  readonly state: string;
  readonly objects: number;
  readonly lastHeard: string | null;
}

export interface CacheReport {
  readonly path: string;
  readonly objects: number;
  readonly sizeBytes: number | null;
}

export interface ServiceReport {
  readonly enabled: boolean;
  /** "nftables" or "userspace"; null while it starts or when it is disabled. */
  readonly mode: string | null;
  /** Why this mode. */
  readonly reason: string;
  readonly services: number;
  readonly endpoints: number;
  readonly lastApplied: string | null;
}

export interface DnsReport {
  readonly enabled: boolean;
  /** "169.254.25.10:53". */
  readonly listening: readonly string[];
  readonly domain: string;
  readonly upstreams: readonly { readonly address: string; readonly healthy: boolean }[];
  readonly names: number;
  /** Services of several clusters, below svc.global. */
  readonly globalNames: number;
  readonly cached: number;
}

/** This node among those that it has tunnels with. */
export interface FabricReport {
  /** "paris.e1"; null: it has not heard that it is in a fabric. */
  readonly name: string | null;
  readonly peers: number;
  readonly tunnelsUp: number;
  /** When its certificate ends; null: it has none. */
  readonly certificateEnds: string | null;
  /** "absent", "silent", "connected". */
  readonly charon: { readonly state: string; readonly version: string | null };
}

export interface ConditionReport extends Omit<Condition, "since"> {
  readonly since: string;
}

/** One service as this node reaches it. */
export interface ServiceDetail {
  readonly namespace: string;
  readonly name: string;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
  readonly headless: boolean;
  readonly clusterIps: readonly Ip[];
  /** externalIPs and load balancer addresses. */
  readonly externalIps: readonly Ip[];
  readonly externalName: string | null;
  readonly ports: readonly ServicePortDetail[];
}

export interface ServicePortDetail {
  /** Empty when the service has one unnamed port. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly nodePort: number | null;
  /** Endpoints in use, and endpoints that the service has. */
  readonly backends: readonly { readonly address: Ip; readonly port: number; readonly local: boolean }[];
  readonly endpoints: number;
}

export interface ServiceFilter {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

/** An answer of this node's own resolver. */
export interface Resolution {
  /** As it was answered: with the search domain that matched. */
  readonly name: string;
  readonly type: string;
  /** "NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED". */
  readonly rcode: string;
  readonly answers: readonly ResolvedRecord[];
  /** Where it comes from. */
  readonly from: "cluster" | "cache" | "stale" | "upstream" | "none";
  readonly durationSeconds: number;
}

export interface ResolvedRecord {
  readonly name: string;
  readonly type: string;
  readonly ttlSeconds: number;
  /** As in a zone file. */
  readonly data: string;
}

export interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

/** The body of every answer of the control socket, and of every `-o json`. */
export interface AgentDocuments {
  readonly Status: StatusReport;
  readonly ServiceList: { readonly items: readonly ServiceDetail[] };
  readonly Resolution: Resolution;
  readonly TunnelList: { readonly items: readonly TunnelReport[] };
  readonly PeerList: { readonly items: readonly PeerReport[] };
  readonly Error: ErrorReport;
}

export type AgentDocument<K extends keyof AgentDocuments> = {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: K;
} & AgentDocuments[K];

export function agentDocument<K extends keyof AgentDocuments>(kind: K, body: AgentDocuments[K]): AgentDocument<K> {
  return { apiVersion: API_VERSION, kind, ...body };
}
