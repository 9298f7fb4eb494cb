import type { Ip } from "../../src/base/ip.ts";
import type { Endpoint } from "../../src/network/endpoint.ts";
import type { Service } from "../../src/network/service.ts";

/** The node that we run on, as far as plans depend on it. */
export interface NodeTopology {
  readonly name: string;
  readonly zone: string | undefined;
  /** Of its status. */
  readonly addresses: readonly Ip[];
}

/** One endpoint of one service port, merged from every slice that names it. */
export interface Candidate {
  readonly endpoint: Endpoint;
  readonly ready: boolean;
}

/**
 * Who gets the traffic under policy Cluster: the ready endpoints, narrowed to those near this node where topology
 * says so; while none is ready anywhere, those that still serve although they terminate.
 */
export function clusterCandidates<C extends Candidate>(
  candidates: readonly C[],
  service: Service,
  node: NodeTopology,
): readonly C[] {
  const ready = candidates.filter((c) => c.ready);
  return ready.length > 0 ? nearest(ready, service, node) : candidates.filter(servesWhileTerminating);
}

/** Who gets the traffic under policy Local: the same, but of this node alone and whatever the topology says. */
export function localCandidates<C extends Candidate>(candidates: readonly C[], node: NodeTopology): readonly C[] {
  const local = candidates.filter((c) => c.endpoint.nodeName === node.name);
  const ready = local.filter((c) => c.ready);
  return ready.length > 0 ? ready : local.filter(servesWhileTerminating);
}

function servesWhileTerminating(candidate: Candidate): boolean {
  return candidate.endpoint.serving && candidate.endpoint.terminating;
}

/**
 * Hints count only when every ready endpoint has them: a mixture means that the control plane is half-way through a
 * change. Without any hints (Endpoints objects, old control planes) trafficDistribution is read off the endpoints'
 * own node and zone. What nobody can serve nearby is served from everywhere.
 */
function nearest<C extends Candidate>(ready: readonly C[], service: Service, node: NodeTopology): readonly C[] {
  const hinted = ready.some((c) => c.endpoint.hintNodes.length > 0 || c.endpoint.hintZones.length > 0);
  if (!hinted && service.trafficDistribution === undefined) return ready;
  const onNode = whenAll(
    ready,
    (e) => e.hintNodes.length > 0,
    (e) => e.hintNodes.includes(node.name),
  );
  if (onNode.length > 0) return onNode;
  const { zone } = node;
  const inZone = whenAll(
    ready,
    (e) => e.hintZones.length > 0,
    (e) => zone !== undefined && e.hintZones.includes(zone),
  );
  if (inZone.length > 0) return inZone;

  if (hinted) return ready;
  if (service.trafficDistribution === "PreferSameNode") {
    const same = ready.filter((c) => c.endpoint.nodeName === node.name);
    if (same.length > 0) return same;
  }
  const same = zone === undefined ? [] : ready.filter((c) => c.endpoint.zone === zone);
  return same.length > 0 ? same : ready;
}

function whenAll<C extends Candidate>(
  ready: readonly C[],
  hinted: (endpoint: Endpoint) => boolean,
  matches: (endpoint: Endpoint) => boolean,
): readonly C[] {
  return ready.every((c) => hinted(c.endpoint)) ? ready.filter((c) => matches(c.endpoint)) : [];
}
