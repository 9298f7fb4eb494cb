import type { Condition } from "../../src/base/health.ts";
import type {
  CacheReport,
  ComponentState,
  ConditionReport,
  DnsReport,
  FabricReport,
  ServiceReport,
  SourceReport,
  StatusReport,
} from "../../src/network/agent-report.ts";
import { checkReadiness } from "./readiness.ts";

/** What each part knows, as wiring collects it. Times are wall times in milliseconds. */
export interface StatusParts {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly started: number;
  readonly now: number;
  readonly components: readonly ComponentState[];
  readonly source: Omit<SourceReport, "lastHeard" | "stalenessSeconds" | "kinds"> & {
    readonly lastHeard: number | undefined;
    readonly kinds: readonly {
      readonly kind: string;
      readonly state: string;
      readonly objects: number;
      readonly lastHeard: number | undefined;
    }[];
  };
  readonly cache: CacheReport;
  readonly service: Omit<ServiceReport, "lastApplied"> & { readonly lastApplied: number | undefined };
  readonly dns: DnsReport;
  readonly fabric: Omit<FabricReport, "certificateEnds"> & { readonly certificateEnds: number | undefined };
  readonly conditions: readonly Condition[];
}

export function composeStatus(parts: StatusParts): StatusReport {
  const { now, source, service } = parts;
  return {
    agent: {
      version: parts.version,
      node: parts.node,
      pid: parts.pid,
      started: formatTime(parts.started),
      uptimeSeconds: secondsBetween(parts.started, now),
    },
    ready: checkReadiness(parts.components, parts.conditions).every((check) => check.ok),
    components: parts.components,
    source: {
      ...source,
      lastHeard: formatKnownTime(source.lastHeard),
      stalenessSeconds: source.lastHeard === undefined ? null : secondsBetween(source.lastHeard, now),
      kinds: source.kinds.map((kind) => ({ ...kind, lastHeard: formatKnownTime(kind.lastHeard) })),
    },
    cache: parts.cache,
    service: { ...service, lastApplied: formatKnownTime(service.lastApplied) },
    dns: parts.dns,
    fabric: { ...parts.fabric, certificateEnds: formatKnownTime(parts.fabric.certificateEnds) },
    conditions: parts.conditions.map(reportCondition),
  };
}

function reportCondition(condition: Condition): ConditionReport {
  return { ...condition, since: formatTime(condition.since) };
}

function formatTime(wall: number): string {
  return new Date(wall).toISOString();
}

function formatKnownTime(wall: number | undefined): string | null {
  return wall === undefined ? null : formatTime(wall);
}

/** A wall clock may be set back (an edge node without a battery boots in 1970): a span is never negative. */
function secondsBetween(from: number, to: number): number {
  return Math.max(0, Math.round((to - from) / 1000));
}
