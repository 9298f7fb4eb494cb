import { errorCode } from "../base/errors.ts";
import {
  decodeLink,
  encodeLinkCreate,
  encodeLinkDelete,
  encodeLinkDump,
  encodeLinkGet,
  encodeLinkUp,
  type Link,
  type VirtualLinkKind,
} from "../wire/rtnetlink-link.ts";
import type { EncodeRequest, NetlinkSocket } from "./netlink-socket.ts";

/** @param route a NETLINK_ROUTE socket, here and below */
export function listLinks(route: NetlinkSocket): readonly Link[] {
  return route.request("list links", encodeLinkDump, decodeLink);
}

/** @param which name or index */
export function findLink(route: NetlinkSocket, which: string | number): Link | undefined {
  try {
    const encode: EncodeRequest = (writer, sequence) => encodeLinkGet(writer, sequence, which);
    return route.request(`look up link "${which}"`, encode, decodeLink)[0];
  } catch (error) {
    if (errorCode(error) === "ENODEV") return undefined;
    throw error;
  }
}

/**
 * Makes a link that is up.
 * @throws SelvedgeError EEXIST; EOPNOTSUPP where the kernel has no links of the kind
 */
export function createLink(route: NetlinkSocket, name: string, kind: VirtualLinkKind): void {
  route.request(`create ${kind} link "${name}"`, (writer, sequence) => encodeLinkCreate(writer, sequence, name, kind));
}

export function setLinkUp(route: NetlinkSocket, link: Link): void {
  route.request(`set link "${link.name}" up`, (writer, sequence) => encodeLinkUp(writer, sequence, link.index));
}

/** @throws SelvedgeError ENODEV when it is gone */
export function deleteLink(route: NetlinkSocket, link: Link): void {
  route.request(`delete link "${link.name}"`, (writer, sequence) => encodeLinkDelete(writer, sequence, link.index));
}
