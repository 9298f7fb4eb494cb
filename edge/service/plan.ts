import { type Family, type Ip, ipFamily, makePrefix, type Prefix, prefixContains } from "../../src/base/ip.ts";
import type { Endpoint } from "../../src/network/endpoint.ts";
import type { Service, ServicePort } from "../../src/network/service.ts";
import type { ServiceView } from "../../src/network/service-index.ts";
import { type Backend, type Frontend, frontendId } from "./frontend.ts";
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

const FAMILIES: readonly Family[] = [4, 6];
const EVERYONE: readonly Prefix[] = [];
const NOBODY: readonly Backend[] = [];

/**
 * Everything that this node has to translate for one service, with kube-proxy's semantics. Headless and ExternalName
 * services, and services that another proxy serves, have nothing. The result does not depend on the order of slices,
 * endpoints or ports.
 */
export function planFrontends(view: ServiceView, node: NodeTopology): readonly Frontend[] {
  const { service } = view;
  if (service.foreignProxy || service.headless || service.type === "ExternalName") return [];
  const entrances = planEntrances(service, node);
  if (entrances.length === 0) return [];

  const frontends: Frontend[] = [];
  for (const family of FAMILIES) {
    if (!entrances.some((entrance) => entrance.family === family)) continue;
    for (const port of service.ports) addFrontends(frontends, view, entrances, family, port, node);
  }
  return frontends.length === 1 ? frontends : firstOfEach(frontends);
}

/** One address may be external and a load balancer's at once, and nobody checks what is written by hand. */
function firstOfEach(frontends: readonly Frontend[]): readonly Frontend[] {
  const first = new Map<string, Frontend>();
  for (const frontend of frontends) {
    const id = frontendId(frontend);
    if (!first.has(id)) first.set(id, frontend);
  }
  return [...first.values()];
}

function planEntrances(service: Service, node: NodeTopology): readonly Entrance[] {
  const entrances = service.clusterIps.map((address) => entranceAt("cluster-ip", address, EVERYONE));
  if (service.type === "LoadBalancer") {
    const { loadBalancerIps, loadBalancerSourceRanges } = service;
    for (const address of loadBalancerIps) {
      const ranges = rangesOf(loadBalancerSourceRanges, ipFamily(address));
      entrances.push(entranceAt("external", address, withOwnCalls(ranges, address, node)));
    }
  }
  // After those: of an address that is both, the restriction holds.
  for (const address of service.externalIps) entrances.push(entranceAt("external", address, EVERYONE));
  if (service.type !== "ClusterIP") {
    for (const ip of service.clusterIps) {
      entrances.push({ kind: "node-port", family: ipFamily(ip), address: undefined, sourceRanges: EVERYONE });
    }
  }
  // A load balancer may take callers of another family to a service by itself: such an address is not ours, nor kube-proxy's.
  const families = new Set(service.clusterIps.map(ipFamily));
  return families.size === 0 ? entrances : entrances.filter(({ family }) => families.has(family));
}

function entranceAt(kind: Frontend["kind"], address: Ip, sourceRanges: readonly Prefix[]): Entrance {
  return { kind, family: ipFamily(address), address, sourceRanges };
}

/** Ranges of one family say nothing about the other one, and a range that is everybody is no restriction. */
function rangesOf(ranges: readonly Prefix[], family: Family): readonly Prefix[] {
  const own = ranges.filter((range) => ipFamily(range.address) === family);
  return own.some((range) => range.length === 0) ? EVERYONE : own;
}

/**
 * Where the load balancer gives its address to the node itself, as kube-vip does, the node's own programs call from that
 * address: they may, where the node may.
 */
function withOwnCalls(ranges: readonly Prefix[], address: Ip, node: NodeTopology): readonly Prefix[] {
  const admitsNode = ranges.some((range) => node.addresses.some((own) => prefixContains(range, own)));
  return admitsNode ? [...ranges, makePrefix(address, ipFamily(address) === 4 ? 32 : 128)] : ranges;
}

function addFrontends(
  frontends: Frontend[],
  view: ServiceView,
  entrances: readonly Entrance[],
  family: Family,
  port: ServicePort,
  node: NodeTopology,
): void {
  const { service } = view;
  const targets = collectTargets(view, family, port);
  const cluster = planBackends(clusterCandidates(targets, service, node), node);
  const needsLocal = service.internalTrafficPolicy === "Local" || service.externalTrafficPolicy === "Local";
  const local = needsLocal ? planBackends(localCandidates(targets, node), node) : NOBODY;
  const serving = port.protocol === "UDP" ? planBackends(targets.filter(serves), node) : NOBODY;

  for (const { kind, family: ofEntrance, address, sourceRanges } of entrances) {
    const listens = kind === "node-port" ? port.nodePort : port.port;
    if (listens === undefined || ofEntrance !== family) continue;
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
      serving,
      affinitySeconds: service.affinitySeconds,
      sourceRanges,
    });
  }
}

/**
 * The endpoints of one port, each address and port once: while a pod moves between slices it is in both, and the
 * better of its two states counts.
 */
function collectTargets({ service, slices }: ServiceView, family: Family, port: ServicePort): readonly Target[] {
  const targets: Target[] = [];
  for (const slice of slices) {
    if (slice.family !== family) continue;
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
  if (targets.length < 2) return targets;
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

function serves({ ready, endpoint }: Target): boolean {
  return ready || endpoint.serving;
}

function planBackends(targets: readonly Target[], node: NodeTopology): readonly Backend[] {
  return targets.slice(0, BACKENDS_PER_FRONTEND_LIMIT).map(({ address, port, endpoint }) => ({
    address,
    port,
    local: endpoint.nodeName === undefined || endpoint.nodeName === node.name,
  }));
}
