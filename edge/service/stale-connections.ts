import type { Family } from "../../src/base/ip.ts";
import type { ConntrackEntry } from "../../src/wire/conntrack.ts";
import type { Frontend } from "./frontend.ts";
import type { VanishedBackend } from "./ruleset-model.ts";
import { backendId } from "./slots.ts";

/**
 * The UDP connections that would go on to the wrong place. A client that keeps its port keeps its connection, and with
 * it an endpoint that is gone, or none at all when the service had none at first. TCP and SCTP end by themselves. An
 * endpoint that only gets no new callers, as it terminates or others are nearer now, is not gone (kube-proxy's conntrack
 * clean-up has it so).
 *
 * @param entries of one family and of UDP
 * @param changed frontends as they are now, those that are gone without backends
 */
export function planStaleConnections(
  entries: readonly ConntrackEntry[],
  changed: readonly Frontend[],
  vanished: readonly VanishedBackend[],
): readonly ConntrackEntry[] {
  const backends = new Map<string, ReadonlySet<string>>();
  const nodePortBackends = new Map<number, ReadonlySet<string>>();
  for (const { address, port, backends: all, externalBackends, serving } of changed) {
    const ids = new Set([...all, ...(externalBackends ?? []), ...serving].map(backendId));
    if (address === undefined) nodePortBackends.set(port, ids);
    else backends.set(`${address} ${port}`, ids);
  }
  // A node port belongs to every address of the node: what we translated ourselves is surely its.
  const nodePorts = new Set<string>();
  for (const { frontend, backend } of vanished) {
    const id = backendId(backend);
    const isThere = nodePortBackends.get(frontend.port)?.has(id) === true;
    if (frontend.address === undefined && !isThere) nodePorts.add(`${frontend.port} ${id}`);
  }
  return entries.filter(({ original, reply, answered }) => {
    const answers = `${reply.source} ${reply.sourcePort}`;
    if (nodePorts.has(`${original.destinationPort} ${answers}`)) return true;
    const translated = reply.source !== original.destination || reply.sourcePort !== original.destinationPort;
    // Who asked before the service was there, or while the node started, would ask in vain for ever. Should it be on its
    // way elsewhere, nothing is lost as nobody has answered.
    const hasNodePort = (nodePortBackends.get(original.destinationPort)?.size ?? 0) > 0;
    if (hasNodePort && !translated && !answered) return true;
    const current = backends.get(`${original.destination} ${original.destinationPort}`);
    if (current === undefined || current.has(answers)) return false;
    return translated || current.size > 0;
  });
}

/** @returns the families that the change concerns: nothing is read for the others */
export function familiesOfUdp(changed: readonly Frontend[], vanished: readonly VanishedBackend[]): ReadonlySet<Family> {
  const families = new Set<Family>();
  for (const { protocol, family } of changed) if (protocol === "UDP") families.add(family);
  for (const { frontend } of vanished) if (frontend.protocol === "UDP") families.add(frontend.family);
  return families;
}
