import { type Clock, elapsed, sleep } from "../../src/base/clock.ts";
import { milliseconds, seconds } from "../../src/base/duration.ts";
import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import { type Family, ipFamily } from "../../src/base/ip.ts";
import { addAddress } from "../../src/linux/addresses.ts";
import { deleteLink } from "../../src/linux/links.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import type { NetworkNamespace } from "../../src/linux/network-namespace.ts";
import { changeLink, createVeth, findPodLink, setHairpin } from "../../src/linux/pod-links.ts";
import { addRoute } from "../../src/linux/routes.ts";
import { writeSysctl } from "../../src/linux/sysctl.ts";
import type { PodLink } from "../../src/wire/rtnetlink-pod-link.ts";
import { broadcastOf } from "./address-number.ts";
import type { CniAddress, CniRoute } from "./cni-result.ts";
import type { Attachment } from "./reservation.ts";
import { linkAlias, parseLinkAlias, vethName } from "./veth-name.ts";

/** RTPROT_BOOT and the table main of linux/rtnetlink.h: what `ip route add` and the stock plugins write. */
const ROUTE = { type: "unicast", table: 254, protocol: 3, scope: 0, metric: 0, source: undefined } as const;

/** The kernel tells a bridge of its port's carrier from a work queue, within a second at most. */
const PORT_PATIENCE = seconds(3);
const PORT_RETRY = milliseconds(2);

export interface PodInterfaceSpec {
  readonly network: string;
  readonly attachment: Attachment;
  readonly bridge: PodLink;
  readonly mtu: number;
  readonly hairpin: boolean;
  readonly addresses: readonly CniAddress[];
  readonly routes: readonly CniRoute[];
}

/** Both ends of a pod's link. */
export interface PodInterface {
  readonly host: PodLink;
  readonly pod: PodLink;
}

/** @throws SelvedgeError POD_INTERFACE_TAKEN */
export function refuseTakenName(inside: NetlinkSocket, { ifName }: Attachment): void {
  if (findPodLink(inside, ifName) === undefined) return;
  throw new SelvedgeError(`Cannot make interface "${ifName}" as the pod has one of this name`, {
    code: "POD_INTERFACE_TAKEN",
    blame: "peer",
    retry: "never",
    hint: "A container runtime says DEL before it says ADD again.",
  });
}

/**
 * Makes a pod's link and configures its end: addresses, routes, loopback. The node's end is a port of the bridge.
 *
 * @param route a NETLINK_ROUTE socket of this node, @param inside one of the pod's namespace
 */
export function connectPod(
  route: NetlinkSocket,
  inside: NetlinkSocket,
  namespace: NetworkNamespace,
  spec: PodInterfaceSpec,
): PodInterface {
  const { attachment, network, mtu, bridge } = spec;
  const name = vethName(network, attachment);
  createVeth(route, {
    name,
    mtu,
    master: bridge.index,
    peer: { name: attachment.ifName, namespace: namespace.descriptor },
  });
  const host = existing(route, name);
  changeLink(route, host, { alias: linkAlias(network, attachment) });
  if (spec.hairpin) setHairpin(route, host, true);
  // The routes of this node are its own business, whatever a pod advertises.
  writeSysctl(`net/ipv6/conf/${name}/accept_ra`, "0");
  namespace.run(() => prepare(attachment.ifName, familiesOf(spec.addresses)));
  return { host: existing(route, name), pod: configure(inside, spec) };
}

/** Kernel settings are those of whoever opens their files: inside the namespace. */
function prepare(ifName: string, families: ReadonlySet<Family>): void {
  // Neighbours that knew the address from an earlier pod learn at once whose it is now.
  writeSysctl(`net/ipv4/conf/${ifName}/arp_notify`, "1");
  writeSysctl(`net/ipv6/conf/${ifName}/ndisc_notify`, "1");
  if (!families.has(6)) return;
  for (const link of ["lo", ifName]) writeSysctl(`net/ipv6/conf/${link}/disable_ipv6`, "0");
  // Nobody else has its addresses, so that the kernel's own one need not wait a second for who objects.
  writeSysctl(`net/ipv6/conf/${ifName}/accept_dad`, "0");
}

function configure(inside: NetlinkSocket, { attachment, addresses, routes }: PodInterfaceSpec): PodLink {
  const link = existing(inside, attachment.ifName);
  for (const { address, prefixLength } of addresses) {
    const broadcast = broadcastOf(address, prefixLength);
    addAddress(inside, { linkIndex: link.index, address, prefixLength, scope: "global", broadcast });
  }
  changeLink(inside, link, { up: true });
  for (const { destination, gateway } of routes) {
    addRoute(inside, { ...ROUTE, destination, gateway, linkIndex: link.index });
  }
  changeLink(inside, existing(inside, "lo"), { up: true });
  return existing(inside, attachment.ifName);
}

/**
 * Packets pass from here on.
 *
 * @throws SelvedgeError POD_PORT_DOWN
 */
export async function waitForPort(route: NetlinkSocket, host: PodLink, clock: Clock): Promise<void> {
  const started = clock.now();
  const signal = new AbortController().signal;
  while (findPodLink(route, host.name)?.running !== true) {
    if (elapsed(started, clock.now()) > PORT_PATIENCE) {
      throw new SelvedgeError(`Cannot connect the pod as the bridge's port "${host.name}" does not come up`, {
        code: "POD_PORT_DOWN",
        blame: "host",
        retry: "later",
        hint: "See the kernel's log (dmesg) for what keeps the port down.",
      });
    }
    await sleep(clock, PORT_RETRY, signal);
  }
}

/** Undoes it from either side; what is gone is gone. @param inside undefined where the pod's namespace is no more */
export function disconnectPod(
  route: NetlinkSocket,
  inside: NetlinkSocket | undefined,
  network: string,
  attachment: Attachment,
): void {
  const pod = inside === undefined ? undefined : findPodLink(inside, attachment.ifName);
  if (inside !== undefined && pod !== undefined) forget(inside, pod);
  const host = findPodLink(route, vethName(network, attachment));
  if (host !== undefined && isOurs(network, host)) forget(route, host);
}

/** One that was killed before it could write the alias leaves none. */
function isOurs(network: string, link: PodLink): boolean {
  return link.kind === "veth" && (link.alias === undefined || parseLinkAlias(network, link.alias) !== undefined);
}

function forget(socket: NetlinkSocket, link: PodLink): void {
  try {
    deleteLink(socket, link);
  } catch (error) {
    if (errorCode(error) !== "ENODEV") throw error;
  }
}

/** @throws SelvedgeError NETNS_INVALID */
export function openInside(namespace: NetworkNamespace): NetlinkSocket {
  return namespace.run(() => new NetlinkSocket(NETLINK_ROUTE));
}

function familiesOf(addresses: readonly CniAddress[]): ReadonlySet<Family> {
  return new Set(addresses.map(({ address }) => ipFamily(address)));
}

function existing(socket: NetlinkSocket, name: string): PodLink {
  const link = findPodLink(socket, name);
  if (link !== undefined) return link;
  throw new SelvedgeError(`Cannot configure link "${name}" as it has vanished`, {
    code: "POD_INTERFACE_GONE",
    blame: "host",
    retry: "later",
    hint: "Another program removed it meanwhile, or the pod has ended.",
  });
}
