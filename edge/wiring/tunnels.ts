import type { Ip } from "../../src/base/ip.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { FabricIdentity } from "../../src/network/fabric-identity.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { ServiceIndex } from "../../src/network/service-index.ts";
import { ConnectionKeeper } from "../../src/strongswan/connection-keeper.ts";
import { resolveHost } from "../../src/strongswan/host-names.ts";
import type { NodeIdentity } from "../identity/node-identity.ts";
import { registerTunnelMetrics } from "../status/tunnel-metrics.ts";
import { TunnelView } from "../status/tunnel-view.ts";
import { FabricKernel } from "../tunnel/fabric-kernel.ts";
import { Tunnels } from "../tunnel/tunnels.ts";
import type { Foundation } from "./capabilities.ts";

/** They rest until the node knows who it is in the fabric. */
export function makeTunnels(foundation: Foundation, services: ServiceIndex, scope: Scope): Tunnels {
  const { config, system, log, health, metrics } = foundation;
  const { clock, random } = system;
  const { viciSocket, masqOutgoing, enableProxy, proxyClusterCidr, cniBridgeName } = config;
  return new Tunnels(
    {
      keeper: (listener) => new ConnectionKeeper({ viciSocket, clock, random, resolve: resolveHost, listener }, scope),
      kernel: new FabricKernel(cniBridgeName),
      masquerade: masqOutgoing,
      clusterCidrs: proxyClusterCidr,
      serviceAddresses: () => (enableProxy ? allAddresses(services) : []),
      clock,
      random,
      log,
      health,
      metrics,
    },
    scope,
  );
}

export function makeTunnelView(
  { health, metrics, system }: Foundation,
  tunnels: Tunnels,
  identity: NodeIdentity,
  scope: Scope,
): TunnelView {
  const asTried = (known: FabricIdentity): FabricIdentity => {
    const peers = known.config.peers.map((peer) => ({ ...peer, publicAddresses: tunnels.rankedAddresses(peer) }));
    return { ...known, config: { ...known.config, peers } };
  };
  const options = {
    keeper: tunnels.keeper,
    identity: () => identity.current && asTried(identity.current),
    latency: (peer: string) => tunnels.latency(peer),
    health,
    clock: system.clock,
  };
  const view = new TunnelView(options, scope);
  registerTunnelMetrics(metrics, {
    tunnels: () => view.tunnels(),
    charon: () => view.charon,
    certificateEnds: () => identity.certificate?.notAfter,
  });
  return view;
}

/** @param keys of services, of which some may be gone */
export function* addressesOf(services: ServiceIndex, keys: Iterable<ObjectKey>): Generator<Ip> {
  for (const key of keys) yield* services.get(key)?.service.clusterIps ?? [];
}

function* allAddresses(services: ServiceIndex): Generator<Ip> {
  for (const { service } of services.views()) yield* service.clusterIps;
}
