import type { Severity } from "../../src/base/health.ts";
import type { Ip } from "../../src/base/ip.ts";
import type { Config } from "../config/options.ts";
import { isInTheWay, type ListeningSocket } from "./socket-table.ts";

export type Probe =
  | { readonly outcome: "yes" }
  | { readonly outcome: "no"; readonly why: string }
  | { readonly outcome: "unknown"; readonly why: string };

export interface PortHolder extends ListeningSocket {
  /** Undefined where we may not look into the process. */
  readonly pid: number | undefined;
  readonly program: string | undefined;
}

/** What `check` sees of the host without the agent. */
export interface HostState {
  readonly kernel: string;
  /** CapEff of /proc/self/status. */
  readonly capabilities: bigint;
  readonly nftables: Probe;
  /** Listeners on the DNS port. */
  readonly dnsPort: readonly PortHolder[];
  readonly disk: { readonly path: string; readonly freeBytes: number; readonly writable: Probe };
  /** Undefined where only a kubeconfig knows where the source is. */
  readonly source: { readonly url: string; readonly reachable: Probe } | undefined;
}

/** Good, or a condition with a way out. */
export type CheckResult =
  | { readonly ok: true; readonly component: string; readonly message: string }
  | {
      readonly ok: false;
      readonly component: string;
      readonly code: string;
      readonly severity: Severity;
      readonly message: string;
      readonly hint: string;
    };

/** linux/capability.h */
const CAP_NET_BIND_SERVICE = 10n;
const CAP_NET_ADMIN = 12n;

/** Room for a new generation of the cache of a large cluster, twice. */
const ENOUGH_DISK_BYTES = 64 * 1024 * 1024;

/** @param agentPid of the agent that answered: what it holds is in nobody's way */
export function judgeHost(host: HostState, config: Config, agentPid: number | undefined): readonly CheckResult[] {
  return [
    judgePrivileges(host),
    ...(config.enableProxy ? [judgeNftables(host, config)] : []),
    ...(config.enableDns ? config.dnsBindIp.map((ip) => judgeDnsPort(host, ip, config.dnsBindPort, agentPid)) : []),
    judgeDisk(host),
    ...judgeSource(host),
  ];
}

function judgePrivileges({ capabilities }: HostState): CheckResult {
  const wanted = [
    ["CAP_NET_ADMIN", CAP_NET_ADMIN],
    ["CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE],
  ] as const;
  const lacking = wanted.filter(([, bit]) => ((capabilities >> bit) & 1n) === 0n).map(([name]) => name);
  if (lacking.length === 0)
    return { ok: true, component: "process", message: "has the privileges that the agent needs" };
  return {
    ok: false,
    component: "process",
    code: "PRIVILEGE_MISSING",
    severity: "failed",
    message: `Cannot change the network as this user: ${lacking.join(" and ")} missing`,
    hint: "Run as root, or with these capabilities, as the systemd unit does.",
  };
}

function judgeNftables({ kernel, nftables }: HostState, config: Config): CheckResult {
  if (nftables.outcome === "yes") return { ok: true, component: "service", message: `Linux ${kernel} has nftables` };
  const needed = config.proxyMode === "nftables";
  return {
    ok: false,
    component: "service",
    code: "KERNEL_NFTABLES_MISSING",
    severity: nftables.outcome === "unknown" ? "info" : needed ? "failed" : "degraded",
    message:
      nftables.outcome === "unknown"
        ? `Cannot tell whether Linux ${kernel} has nftables: ${nftables.why}`
        : `Cannot balance services in the kernel as Linux ${kernel} has no nftables: ${nftables.why}`,
    hint: needed
      ? "Load or build nf_tables, nft_chain_nat and nft_numgen, or set --proxy-mode=auto."
      : "Load or build nf_tables, nft_chain_nat and nft_numgen; until then services are relayed in user space.",
  };
}

function judgeDnsPort(host: HostState, address: Ip, port: number, agentPid: number | undefined): CheckResult {
  const holder =
    port === 0
      ? undefined
      : host.dnsPort.find(
          (held) => isInTheWay(held, address, port) && (agentPid === undefined || held.pid !== agentPid),
        );
  if (holder === undefined) {
    return { ok: true, component: "dns", message: `nobody else listens on port ${port} of ${address}` };
  }
  const who = holder.pid === undefined ? "another program" : `${holder.program ?? "a process"} (pid ${holder.pid})`;
  return {
    ok: false,
    component: "dns",
    code: "DNS_PORT_IN_USE",
    severity: "failed",
    message: `Cannot answer DNS queries on port ${port} of ${address} as ${who} listens on ${holder.address} (${holder.protocol})`,
    hint: "Let that program listen on its own addresses only, or set another --dns-bind-ip.",
  };
}

function judgeDisk({ disk }: HostState): CheckResult {
  const { path, freeBytes, writable } = disk;
  if (writable.outcome === "no") {
    return {
      ok: false,
      component: "cache",
      code: "DISK_READ_ONLY",
      severity: "degraded",
      message: `Cannot write to ${path}: ${writable.why}`,
      hint: "Without it the node forgets its services when it restarts without the cloud. Make it writable, or set --state-dir.",
    };
  }
  const freeMiB = Math.floor(freeBytes / 1024 / 1024);
  if (freeBytes >= ENOUGH_DISK_BYTES)
    return { ok: true, component: "cache", message: `${path} has ${freeMiB} MiB free` };
  return {
    ok: false,
    component: "cache",
    code: "DISK_FULL",
    severity: "degraded",
    message: `Cannot count on room for the cache at ${path}: ${freeMiB} MiB are free`,
    hint: `Free ${ENOUGH_DISK_BYTES / 1024 / 1024} MiB, or set --state-dir to another disk.`,
  };
}

function judgeSource({ source }: HostState): readonly CheckResult[] {
  if (source === undefined) return [];
  const { url, reachable } = source;
  if (reachable.outcome === "yes") return [{ ok: true, component: "source", message: `${url} takes connections` }];
  return [
    {
      ok: false,
      component: "source",
      code: "SOURCE_UNREACHABLE",
      severity: "degraded",
      message: `Cannot connect to the source at ${url}: ${reachable.why}`,
      hint: "For metaServer: set modules.metaManager.metaServer.enable in edgecore.yaml. Otherwise see --source and --source-url.",
    },
  ];
}
