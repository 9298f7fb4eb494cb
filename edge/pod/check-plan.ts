import { formatPrefix, type Ip, ipFamily } from "../../src/base/ip.ts";
import type { LinkAddress } from "../../src/wire/rtnetlink-address.ts";
import type { PodLink } from "../../src/wire/rtnetlink-pod-link.ts";
import type { Qdisc } from "../../src/wire/rtnetlink-qdisc.ts";
import type { Route } from "../../src/wire/rtnetlink-route.ts";
import type { Shape } from "./bandwidth-config.ts";
import type { CniResult } from "./cni-result.ts";
import { formatHardwareAddress } from "./hardware-address.ts";
import type { NetworkConfig } from "./network-config.ts";
import type { Attachment } from "./reservation.ts";

/** What there is of a pod's interface. */
export interface ObservedPod {
  readonly reserved: readonly Ip[];
  readonly bridge: PodLink | undefined;
  /** Of this node's links. */
  readonly bridgeAddresses: readonly LinkAddress[];
  /** The other end of the pod's link. */
  readonly host: PodLink | undefined;
  readonly ifb: PodLink | undefined;
  readonly qdiscs: readonly Qdisc[];
  readonly pod: PodLink | undefined;
  readonly podAddresses: readonly LinkAddress[];
  readonly podRoutes: readonly Route[];
  /** Host ports of the pod that do not lead to it. */
  readonly missingPorts: readonly number[];
}

/** @returns what differs from what ADD answered, a few words each */
export function planCheck(
  config: NetworkConfig,
  { ifName }: Attachment,
  previous: CniResult,
  observed: ObservedPod,
): readonly string[] {
  return [
    ...checkBridge(config, previous, observed),
    ...checkHostEnd(config, observed),
    ...checkPodEnd(ifName, previous, observed),
    ...checkBandwidth(config, observed),
    ...observed.missingPorts.map((port) => `host port ${port} does not lead to the pod`),
  ];
}

function checkBridge(config: NetworkConfig, previous: CniResult, observed: ObservedPod): readonly string[] {
  const { bridge, bridgeAddresses, reserved } = observed;
  const { addresses } = previous;
  const lost = addresses.filter(({ address }) => !reserved.includes(address));
  const reservations = lost.map(({ address }) => `address ${address} is not reserved for it`);
  if (bridge === undefined || bridge.kind !== "bridge") return [...reservations, `there is no bridge ${config.bridge}`];
  const down = bridge.up ? [] : [`bridge ${config.bridge} is down`];
  const gateways = config.isGateway ? addresses.map(({ gateway }) => gateway) : [];
  const missing = gateways.filter(
    (gateway) => gateway !== undefined && !bridgeAddresses.some(({ address }) => address === gateway),
  );
  return [...reservations, ...down, ...missing.map((gateway) => `bridge ${config.bridge} lacks address ${gateway}`)];
}

function checkHostEnd(config: NetworkConfig, { host, bridge }: ObservedPod): readonly string[] {
  if (host === undefined) return ["this node's end of its link is gone"];
  const findings: string[] = [];
  if (!host.up) findings.push(`link ${host.name} is down`);
  if (host.master === undefined || host.master !== bridge?.index)
    findings.push(`link ${host.name} is no port of bridge ${config.bridge}`);
  else if (host.hairpin !== undefined && host.hairpin !== config.hairpin)
    findings.push(`hairpin of link ${host.name} is ${host.hairpin ? "on" : "off"}`);
  return findings;
}

function checkPodEnd(ifName: string, previous: CniResult, observed: ObservedPod): readonly string[] {
  const { pod, podAddresses, podRoutes } = observed;
  if (pod === undefined) return [`the pod has no interface ${ifName}`];
  const findings = pod.up ? [] : [`interface ${ifName} is down`];
  const mac = previous.interfaces.find(({ name, sandbox }) => name === ifName && sandbox !== undefined)?.mac ?? "";
  if (mac !== "" && mac.toLowerCase() !== formatHardwareAddress(pod.hardwareAddress))
    findings.push(`interface ${ifName} has another hardware address`);
  for (const { address, prefixLength } of previous.addresses) {
    if (!podAddresses.some((own) => own.address === address && own.prefixLength === prefixLength))
      findings.push(`interface ${ifName} lacks address ${address}/${prefixLength}`);
  }
  for (const { destination, gateway } of previous.routes) {
    const text = formatPrefix(destination);
    const own = previous.addresses.find((a) => ipFamily(a.address) === ipFamily(destination.address))?.gateway;
    const via = gateway ?? own;
    if (!podRoutes.some((route) => formatPrefix(route.destination) === text && route.gateway === via))
      findings.push(`the pod has no route to ${text}${via === undefined ? "" : ` by ${via}`}`);
  }
  return findings;
}

function checkBandwidth({ bandwidth }: NetworkConfig, { host, ifb, qdiscs }: ObservedPod): readonly string[] {
  const limits = (link: PodLink | undefined, shape: Shape | undefined, what: string) => {
    if (shape === undefined) return [];
    const rate = Math.floor(shape.bitsPerSecond / 8);
    const isThere = qdiscs.some((q) => q.linkIndex === link?.index && q.kind === "tbf" && q.bytesPerSecond === rate);
    return isThere ? [] : [`what goes ${what} the pod is not limited`];
  };
  return [...limits(host, bandwidth?.ingress, "to"), ...limits(ifb, bandwidth?.egress, "from")];
}
