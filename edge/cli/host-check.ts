import type { Severity } from "../../src/base/health.ts";
import type { Ip } from "../../src/base/ip.ts";
import type { CheckResult } from "../../src/cli/check-report.ts";
import type { MissingFeature } from "../../src/linux/kernel-features.ts";
import type { PortHolder } from "../../src/linux/port-holders.ts";
import { isInTheWay } from "../../src/linux/socket-table.ts";
import type { StatusReport } from "../../src/network/agent-report.ts";
import type { Config } from "../config/options.ts";
import { judgeTunnelHost, type TunnelHost } from "./tunnel-check.ts";

/** Undefined when it works, else why not. */
export type Refusal = string | undefined;

/** What `check` sees of the host without the agent. */
export interface HostState {
  readonly kernel: string;
  /** CapEff of /proc/self/status. */
  readonly capabilities: bigint;
  /** Undefined when the kernel has it. */
  readonly nftables: MissingFeature | undefined;
  readonly conntrack: MissingFeature | undefined;
  /** Listeners on the DNS port. */
  readonly dnsPort: readonly PortHolder[];
  readonly disk: { readonly path: string; readonly freeBytes: number; readonly refusal: Refusal };
  /** Undefined where only a kubeconfig knows where the source is. */
  readonly source: { readonly url: string; readonly refusal: Refusal } | undefined;
  readonly tunnels: TunnelHost;
}

/** linux/capability.h */
const CAP_NET_BIND_SERVICE = 10n;

/** Room for a new generation of the cache of a large cluster, twice. */
const ENOUGH_DISK_BYTES = 64 * 1024 * 1024;

/**
 * @param agent what the agent says that answered, if one did. It may run with other settings than are read here, as in a
 *   pod, where they are its arguments: whether its source and its port are to be had it knows itself
 */
export function judgeHost(
  host: HostState,
  config: Config,
  agent: Pick<StatusReport, "service"> | undefined,
): readonly CheckResult[] {
  return [
    ...((agent?.service.enabled ?? config.enableProxy) ? judgeKernel(host, config) : []),
    ...(agent === undefined && config.enableDns ? judgeDns(host, config) : []),
    judgeDisk(host),
    ...(agent === undefined ? judgeSource(host) : []),
    ...judgeTunnelHost(host.tunnels),
  ];
}

/** Good news of a running agent; what is wrong is among its conditions. */
export function praiseAgent({ agent, dns, source }: StatusReport): readonly CheckResult[] {
  const good = [{ component: "agent", message: `the agent runs: ${agent.version} on ${agent.node}, pid ${agent.pid}` }];
  if (dns.listening.length > 0) good.push({ component: "dns", message: `answers on ${dns.listening.join(", ")}` });
  if (source.connected) good.push({ component: "source", message: `${source.type} ${source.url} is followed` });
  return good.map((result) => ({ ok: true, ...result }));
}

function judgeKernel({ kernel, nftables, conntrack }: HostState, config: Config): readonly CheckResult[] {
  const missing = [nftables, conntrack].filter((feature) => feature !== undefined);
  if (missing.length === 0) {
    const message = `Linux ${kernel} has nftables and connection tracking, and lets us use them`;
    return [{ ok: true, component: "service", message }];
  }
  const severity = (code: MissingFeature["code"]): Severity => {
    if (code === "CAP_NET_ADMIN_MISSING") return "failed";
    return code === "NFT_MISSING" && config.proxyMode === "nftables" ? "failed" : "degraded";
  };
  // Without the privilege every question gets the same answer.
  const distinct = missing.filter((feature, i) => missing.findIndex(({ code }) => code === feature.code) === i);
  return distinct.map((feature) => ({
    ok: false,
    component: "service",
    severity: severity(feature.code),
    ...feature,
  }));
}

function judgeDns(host: HostState, config: Config): readonly CheckResult[] {
  const { dnsBindPort: port } = config;
  // Ports from 1024 on are anybody's (ip_unprivileged_port_start).
  const privileged = port > 0 && port < 1024 && ((host.capabilities >> CAP_NET_BIND_SERVICE) & 1n) === 0n;
  if (!privileged) return config.dnsBindIp.map((address) => judgeDnsPort(host, address, port));
  return [
    {
      ok: false,
      component: "dns",
      code: "DNS_BIND_FAILED",
      severity: "failed",
      message: `Cannot listen on port ${port} as this process lacks a capability: CAP_NET_BIND_SERVICE is not effective`,
      hint: "Run as root, or with CAP_NET_BIND_SERVICE, as the systemd unit does.",
    },
  ];
}

function judgeDnsPort(host: HostState, address: Ip, port: number): CheckResult {
  const holder = port === 0 ? undefined : host.dnsPort.find((held) => isInTheWay(held, address, port));
  if (holder === undefined) {
    return { ok: true, component: "dns", message: `nobody else listens on port ${port} of ${address}` };
  }
  const who = holder.pid === undefined ? "another program" : `${holder.program ?? "a process"} (pid ${holder.pid})`;
  return {
    ok: false,
    component: "dns",
    code: "DNS_BIND_FAILED",
    severity: "failed",
    message: `Cannot listen on port ${port} of ${address} as ${who} listens on ${holder.address} (${holder.protocol})`,
    hint: "Let that program listen on its own addresses only, or set another --dns-bind-ip.",
  };
}

function judgeDisk({ disk }: HostState): CheckResult {
  const { path, freeBytes, refusal } = disk;
  if (refusal !== undefined) {
    return {
      ok: false,
      component: "cache",
      code: "CACHE_WRITE_FAILED",
      severity: "degraded",
      message: `Cannot write to ${path}: ${refusal}`,
      hint: "Without it the node forgets its services when it restarts without the cloud. Make it writable, or set --state-dir.",
    };
  }
  const freeMiB = Math.floor(freeBytes / 1024 / 1024);
  if (freeBytes >= ENOUGH_DISK_BYTES)
    return { ok: true, component: "cache", message: `${path} has ${freeMiB} MiB free` };
  return {
    ok: false,
    component: "cache",
    code: "DISK_LOW",
    severity: "degraded",
    message: `Cannot count on room for the cache at ${path}: ${freeMiB} MiB are free`,
    hint: `Free ${ENOUGH_DISK_BYTES / 1024 / 1024} MiB, or set --state-dir to another disk.`,
  };
}

function judgeSource({ source }: HostState): readonly CheckResult[] {
  if (source === undefined) return [];
  const { url, refusal } = source;
  if (refusal === undefined) return [{ ok: true, component: "source", message: `${url} takes connections` }];
  return [
    {
      ok: false,
      component: "source",
      code: "SOURCE_UNREACHABLE",
      severity: "degraded",
      message: `Cannot connect to the source at ${url}: ${refusal}`,
      hint: "For metaServer: set modules.metaManager.metaServer.enable in edgecore.yaml. Otherwise see --source and --source-url.",
    },
  ];
}
