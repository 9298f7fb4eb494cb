import { errorCode } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { Log, LogSink } from "../../src/base/log.ts";
import type { Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import { observeDescriptorLimit } from "../../src/linux/descriptor-limit.ts";
import type { Config } from "../config/options.ts";
import { openNftables, removeRuleset } from "../service/open-nftables.ts";
import { ServiceMetrics } from "../service/service-metrics.ts";
import { ServiceProxy } from "../service/service-proxy.ts";
import { UserspaceApplier } from "../service/userspace-applier.ts";
import { DnsClient } from "./dns-client.ts";
import type { DnsSettings } from "./dns-messages.ts";
import type { NodeNetwork } from "./node-network.ts";
import type { System } from "./system.ts";

/** What every capability stands on. */
export interface Foundation {
  readonly config: Config;
  readonly system: System;
  readonly logSink: LogSink;
  readonly log: Log;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly network: NodeNetwork;
}

const RESOLV_CONF = "/etc/resolv.conf";

export function makeServiceProxy(foundation: Foundation, scope: Scope): ServiceProxy {
  const { config, system, log, health, network } = foundation;
  const { clock, random } = system;
  const metrics = new ServiceMetrics(foundation.metrics);
  return new ServiceProxy({
    mode: config.proxyMode,
    node: { name: config.nodeName, zone: undefined, addresses: [] },
    open: {
      nftables: (resync) =>
        openNftables(
          {
            link: () => network.link(),
            clusterCidrs: config.proxyClusterCidr,
            dnsPort: config.dnsBindPort,
            metrics,
            log,
            health,
            now: () => clock.now(),
          },
          resync,
        ),
      userspace: async () => {
        removeNftablesMode(log);
        return new UserspaceApplier({
          clock,
          random,
          health,
          descriptors: observeDescriptorLimit(),
          isInternal: (address) => network.isInside(address),
          holdAddresses: (addresses) => network.hold("services", addresses),
        });
      },
    },
    clock,
    random,
    log,
    health,
    metrics,
    scope,
  });
}

/** What an agent in the other mode left goes on translating, before any listener sees a packet, to endpoints of then. */
function removeNftablesMode(log: Log): void {
  try {
    removeRuleset(false);
  } catch (error) {
    log.warn("service.mode", "What nftables mode left cannot be removed.", { code: errorCode(error) });
  }
}

export function makeDns({ system, logSink, health }: Foundation): DnsClient {
  return new DnsClient({ port: system.openDnsThread(), clock: system.clock, logSink, health });
}

export function dnsSettings(config: Config): DnsSettings {
  return {
    zone: config.dnsClusterDomain,
    bindAddresses: config.dnsBindIp,
    port: config.dnsBindPort,
    upstreams: config.dnsUpstream.length === 0 ? undefined : config.dnsUpstream,
    resolvConf: RESOLV_CONF,
    logLevel: config.logLevel,
  };
}
