import { errorCode } from "../base/errors.ts";
import { encodeLinkDump, encodeLinkGet } from "../wire/rtnetlink-link.ts";
import {
  type BridgeSpec,
  decodePodLink,
  encodeBridgeCreate,
  encodeHairpin,
  encodeLinkChange,
  encodeSimpleLinkCreate,
  encodeVethCreate,
  type LinkChange,
  type PodLink,
  type VethSpec,
} from "../wire/rtnetlink-pod-link.ts";
import type { EncodeRequest, NetlinkSocket } from "./netlink-socket.ts";

/** @param route a NETLINK_ROUTE socket, here and below; it sees and changes the network namespace it was made in */
export function listPodLinks(route: NetlinkSocket): readonly PodLink[] {
  return route.request("list links", encodeLinkDump, decodePodLink);
}

export function findPodLink(route: NetlinkSocket, name: string): PodLink | undefined {
  try {
    const encode: EncodeRequest = (writer, sequence) => encodeLinkGet(writer, sequence, name);
    return route.request(`look up link "${name}"`, encode, decodePodLink)[0];
  } catch (error) {
    if (errorCode(error) === "ENODEV") return undefined;
    throw error;
  }
}

/** @throws SelvedgeError EEXIST */
export function createBridge(route: NetlinkSocket, bridge: BridgeSpec): void {
  route.request(`create bridge "${bridge.name}"`, (writer, sequence) => encodeBridgeCreate(writer, sequence, bridge));
}

/** @throws SelvedgeError EEXIST when either name is taken, EINVAL for an MTU that the kernel does not take */
export function createVeth(route: NetlinkSocket, veth: VethSpec): void {
  const what = `create link "${veth.name}" to "${veth.peer.name}"`;
  route.request(what, (writer, sequence) => encodeVethCreate(writer, sequence, veth));
}

/** @throws SelvedgeError EEXIST; EOPNOTSUPP where the kernel has no ifb */
export function createIfb(route: NetlinkSocket, name: string, mtu: number): void {
  route.request(`create ifb link "${name}"`, (writer, sequence) =>
    encodeSimpleLinkCreate(writer, sequence, { name, kind: "ifb", mtu }),
  );
}

/** @throws SelvedgeError ENODEV when it is gone */
export function changeLink(route: NetlinkSocket, link: PodLink, change: LinkChange): void {
  const encode: EncodeRequest = (writer, sequence) => encodeLinkChange(writer, sequence, link.index, change);
  route.request(`change link "${link.name}"`, encode);
}

/** Whether what comes from a port may leave through it again: a pod that reaches itself through a service. */
export function setHairpin(route: NetlinkSocket, port: PodLink, on: boolean): void {
  const encode: EncodeRequest = (writer, sequence) => encodeHairpin(writer, sequence, port.index, on);
  route.request(`set hairpin of "${port.name}"`, encode);
}
