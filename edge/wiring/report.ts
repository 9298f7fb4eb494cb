import type { Condition } from "../../src/base/health.ts";
import type { ComponentState, ServiceDetail, ServiceFilter, StatusReport } from "../../src/network/agent-report.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { ServiceIndex, ServiceView } from "../../src/network/service-index.ts";
import type { CacheStatus } from "../cache/cache.ts";
import type { KindStatus } from "../cache/kind-cache.ts";
import { isNeeded, isOptional, isWithheld } from "../cache/source-conditions.ts";
import type { Config } from "../config/options.ts";
import type { DnsStatus } from "../dns/dns.ts";
import type { Frontend } from "../service/frontend.ts";
import type { ServiceProxyStatus } from "../service/service-proxy.ts";
import { composeStatus, type StatusParts } from "../status/status.ts";

/** What the parts say of themselves at one moment. */
export interface AgentState {
  readonly config: Config;
  readonly version: string;
  readonly pid: number;
  readonly started: number;
  readonly now: number;
  readonly sourceUrl: string;
  readonly components: readonly ComponentState[];
  readonly conditions: readonly Condition[];
  readonly cache: CacheStatus;
  readonly cacheSizeBytes: number | null;
  readonly service: ServiceProxyStatus | undefined;
  readonly dns: DnsStatus | undefined;
  readonly fabric: StatusParts["fabric"];
}

export function reportStatus(state: AgentState): StatusReport {
  const { config, cache, service, dns } = state;
  const heard = cache.kinds.map((kind) => kind.lastTrustedList);
  return composeStatus({
    version: state.version,
    node: config.nodeName,
    pid: state.pid,
    started: state.started,
    now: state.now,
    components: state.components,
    conditions: state.conditions,
    source: {
      type: config.source,
      url: state.sourceUrl,
      connected: cache.connected,
      lastHeard: cache.connected ? state.now : latest(heard),
      kinds: cache.kinds.map((kind) => ({
        kind: kind.kind,
        state: stateOfKind(kind, cache.connected),
        objects: kind.objectCount,
        lastHeard: kind.lastTrustedList,
      })),
    },
    cache: {
      path: config.stateDir,
      objects: cache.kinds.reduce((sum, kind) => sum + kind.objectCount, 0),
      sizeBytes: state.cacheSizeBytes,
    },
    service: {
      enabled: service !== undefined,
      mode: service?.mode ?? null,
      reason: service?.reason ?? "--enable-proxy=false",
      services: service?.services ?? 0,
      endpoints: service?.endpoints ?? 0,
      lastApplied: service?.lastSync,
    },
    dns: {
      enabled: dns !== undefined,
      listening: (dns?.listeners ?? []).filter((l) => l.bound).map((l) => formatSocket(l.address, l.port)),
      domain: config.dnsClusterDomain,
      upstreams: (dns?.upstreams ?? []).map((u) => ({ address: u.server, healthy: u.state === "up" })),
      names: dns?.serviceCount ?? 0,
      globalNames: dns?.globalServiceCount ?? 0,
      cached: dns?.cacheEntries ?? 0,
    },
    fabric: state.fabric,
  });
}

/** Of what services do not need a refusal is told only where the source gives the rest. */
function stateOfKind(kind: KindStatus, sourceConnected: boolean): string {
  if (kind.connected) return "watching";
  const refused =
    sourceConnected && !isNeeded(kind) && (isWithheld(kind) || (isOptional(kind) && kind.error !== undefined));
  return kind.withheld || refused ? "withheld" : "waiting";
}

/** Services as the API has them, beside what this node makes of them. */
export function reportServices(
  index: ServiceIndex,
  carried: ReadonlyMap<ObjectKey, readonly Frontend[]>,
  filter: ServiceFilter,
): readonly ServiceDetail[] {
  const details: ServiceDetail[] = [];
  for (const view of index.views()) {
    const { namespace, name } = view.service;
    if (filter.namespace !== undefined && filter.namespace !== namespace) continue;
    if (filter.name !== undefined && filter.name !== name) continue;
    details.push(reportService(view, carried.get(view.key) ?? []));
  }
  return details.sort((a, b) => a.namespace.localeCompare(b.namespace) || a.name.localeCompare(b.name));
}

function reportService(view: ServiceView, frontends: readonly Frontend[]): ServiceDetail {
  const { service, slices } = view;
  return {
    namespace: service.namespace,
    name: service.name,
    type: service.type,
    headless: service.headless,
    clusterIps: service.clusterIps,
    externalIps: [...new Set([...service.externalIps, ...service.loadBalancerIps])],
    externalName: service.externalName ?? null,
    ports: service.ports.map((port) => {
      const own = frontends.filter((f) => f.portName === port.name && f.protocol === port.protocol);
      const backends = new Map(own.flatMap((f) => f.backends).map((b) => [`${b.address} ${b.port}`, b]));
      return {
        name: port.name,
        protocol: port.protocol,
        port: port.port,
        nodePort: port.nodePort ?? null,
        backends: [...backends.values()],
        endpoints: slices
          .filter((slice) => slice.ports.some((p) => p.name === port.name && p.protocol === port.protocol))
          .reduce((sum, slice) => sum + slice.endpoints.length, 0),
      };
    }),
  };
}

function latest(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined);
}

function formatSocket(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
