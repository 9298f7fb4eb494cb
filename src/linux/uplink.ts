import type { Ip } from "../base/ip.ts";
import type { Link } from "../wire/rtnetlink-link.ts";
import { findLink } from "./links.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";
import { queryRoute } from "./routes.ts";

/** How packets of this node get to an address. */
export interface Uplink {
  readonly link: Link;
  /** Undefined: the address is on the link itself, as on a point-to-point one. */
  readonly gateway: Ip | undefined;
  /** The address that they come from. */
  readonly source: Ip | undefined;
  /** Of the link, or of the way where that is known to be less (RFC 1191). */
  readonly mtu: number;
}

/** charon's own packets carry it, and no rule sends them into the table of the tunnels (kernel-netlink.fwmark). */
export const IKE_MARK = 0x42;

/**
 * @param route a NETLINK_ROUTE socket
 * @param mark as if the packet had it: IKE_MARK asks past the tunnels' table
 * @returns undefined when there is no way, or only one inside this node
 */
export function lookUpUplink(route: NetlinkSocket, destination: Ip, mark?: number): Uplink | undefined {
  const found = queryRoute(route, { destination, mark, matched: false });
  if (found?.type !== "unicast" || found.linkIndex === undefined) return undefined;
  const link = findLink(route, found.linkIndex);
  if (link === undefined) return undefined;
  return { link, gateway: found.gateway, source: found.source, mtu: Math.min(found.mtu ?? link.mtu, link.mtu) };
}
