import { type Family, type Ip, ipFamily, type Prefix } from "../../src/base/ip.ts";
import type { Endpoint, EndpointSlice } from "../../src/network/endpoint.ts";
import type { Service, ServicePort } from "../../src/network/service.ts";
import type { ServiceView } from "../../src/network/service-index.ts";
import type { Backend, Frontend } from "./frontend.ts";
import { type Candidate, clusterCandidates, localCandidates, type NodeTopology } from "./topology.ts";

/**
 * Endpoints behind one frontend. Kubernetes' own Endpoints object ends at 1,000; each backend costs about 250 bytes
 * here and in the kernel, and a slot number has to stay below the 32,768 where the local slots begin (ruleset.ts).
 */
export const BACKENDS_PER_FRONTEND_LIMIT = 8192;

interface Target extends Candidate {
  readonly address: Ip;
  readonly port: number;
}

/** A kind of address of a service, before ports and protocols are looked at. */
interface Entrance {
  readonly kind: Frontend["kind"];
  readonly family: Family;
  readonly address: Ip | undefined;
  readonly sourceRanges: readonly Prefix[];
}

/**
 * Everything that this node has to translate for one service, with kube-proxy's semantics. Headless and ExternalName
 * services, and services that another proxy serves, have nothing. The result does not depend on the order of slices,
 * endpoints or ports.
 */
export function planFrontends(view: ServiceView, node: NodeTopology): readonly Frontend[] {
  const { service } = view;
  if (service.foreignProxy || service.headless || service.type === "ExternalName") return [];
  const entrances = planEntrances(service);
  if (entrances.length === 0) return [];

  const frontends: Frontend[] = [];
  for (const family of [4, 6] as const) {
    const ours = entrances.filter((e) => e.family === family);
    if (ours.length === 0) continue;
    const slices = view.slices.filter((s) => s.family === family);
    for (const port of service.ports) addFrontends(frontends, view, ours, port, slices, node);
  }
  return frontends;
}

function planEntrances(service: Service): readonly Entrance[] {
  const entrances: Entrance[] = [];
  const taken = new Set<Ip>();
  const add = (kind: Frontend["kind"], addresses: readonly Ip[], sourceRanges: readonly Prefix[]) => {
    for (const address of addresses) {
      // One address may be external and a load balancer's at once; its first meaning counts.
      if (taken.has(address)) continue;
      taken.add(address);
      entrances.push({ kind, family: ipFamily(address), address, sourceRanges });
    }
  };
  add("cluster-ip", service.clusterIps, []);
  add("external", service.externalIps, []);
  if (service.type === "LoadBalancer") add("external", service.loadBalancerIps, service.loadBalancerSourceRanges);
  if (service.type !== "ClusterIP") {
    for (const family of new Set(service.clusterIps.map(ipFamily))) {
      entrances.push({ kind: "node-port", family, address: undefined, sourceRanges: [] });
    }
  }
  return entrances;
}

function addFrontends(
  frontends: Frontend[],
  view: ServiceView,
  entrances: readonly Entrance[],
  port: ServicePort,
  slices: readonly EndpointSlice[],
  node: NodeTopology,
): void {
  const { service } = view;
  const targets = collectTargets(service, port, slices);
  const cluster = planBackends(clusterCandidates(targets, service, node), node);
  const needsLocal = service.internalTrafficPolicy === "Local" || service.externalTrafficPolicy === "Local";
  const local = needsLocal ? planBackends(localCandidates(targets, node), node) : [];

  for (const { kind, family, address, sourceRanges } of entrances) {
    const listens = kind === "node-port" ? port.nodePort : port.port;
    if (listens === undefined) continue;
    const internalOnly = kind === "cluster-ip";
    frontends.push({
      service: view.key,
      portName: port.name,
      kind,
      family,
      address,
      protocol: port.protocol,
      port: listens,
      backends: internalOnly && service.internalTrafficPolicy === "Local" ? local : cluster,
      externalBackends: !internalOnly && service.externalTrafficPolicy === "Local" ? local : undefined,
      affinitySeconds: service.affinitySeconds,
      sourceRanges,
    });
  }
}

/**
 * The endpoints of one port, each address and port once: while a pod moves between slices it is in both, and the
 * better of its two states counts.
 */
function collectTargets(service: Service, port: ServicePort, slices: readonly EndpointSlice[]): readonly Target[] {
  const targets: Target[] = [];
  for (const slice of slices) {
    for (const offered of slice.ports) {
      if (offered.name !== port.name || offered.protocol !== port.protocol || offered.port === undefined) continue;
      for (const endpoint of slice.endpoints) {
        const address = endpoint.addresses[0];
        if (address === undefined) continue;
        const ready = endpoint.ready || service.publishNotReadyAddresses;
        targets.push({ address, port: offered.port, endpoint, ready });
      }
    }
  }
  targets.sort(compareTargets);
  return targets.filter((target, i) => {
    const before = targets[i - 1];
    return before === undefined || before.address !== target.address || before.port !== target.port;
  });
}

function compareTargets(a: Target, b: Target): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  if (a.port !== b.port) return a.port - b.port;
  const [better, worse] = [rank(a), rank(b)];
  if (better !== worse) return better - worse;
  // Equal in what matters most: any order that does not depend on where they came from.
  const [left, right] = [describe(a.endpoint), describe(b.endpoint)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function rank(target: Target): number {
  if (target.ready) return 0;
  return target.endpoint.serving ? 1 : 2;
}

function describe(e: Endpoint): string {
  return JSON.stringify([e.terminating, e.nodeName, e.zone, [...e.hintZones].sort(), [...e.hintNodes].sort()]);
}

function planBackends(targets: readonly Target[], node: NodeTopology): readonly Backend[] {
  return targets.slice(0, BACKENDS_PER_FRONTEND_LIMIT).map(({ address, port, endpoint }) => ({
    address,
    port,
    local: endpoint.nodeName === undefined || endpoint.nodeName === node.name,
  }));
}
