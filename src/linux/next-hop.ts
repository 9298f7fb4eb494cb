import { type Family, type Ip, ipFamily, type Prefix } from "../base/ip.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";
import { queryRoute } from "./routes.ts";

/** Where packets for another node of the cluster are handed over. */
export interface NextHop {
  readonly linkIndex: number;
  readonly gateway: Ip;
  /** The gateway is on the link although no address of the link says so, as flannel's and Calico's tunnels have it. */
  readonly onlink: boolean;
}

/** Another node, as the pod network knows it. */
export interface NodePlace {
  readonly address: Ip;
  /** Of its pods. */
  readonly prefixes: readonly Prefix[];
}

/**
 * The next hop of this node's own route to the pods of another node, whoever made it: flannel's VXLAN or host-gw,
 * Calico's IPIP, VXLAN or BGP. Where there is none, the node itself, when it is a neighbour.
 *
 * @param route a NETLINK_ROUTE socket
 * @param family of the packets
 */
export function lookUpNextHop(route: NetlinkSocket, place: NodePlace, family: Family): NextHop | undefined {
  const pods = place.prefixes.find(({ address }) => ipFamily(address) === family);
  const way = pods && queryRoute(route, { destination: pods.address, matched: true });
  // The default route leads to the internet, not to pods.
  if (way?.type === "unicast" && way.destination.length > 0 && way.linkIndex !== undefined) {
    const { linkIndex, gateway, onlink = false } = way;
    if (gateway !== undefined && ipFamily(gateway) === family) return { linkIndex, gateway, onlink };
  }
  if (ipFamily(place.address) !== family) return undefined;
  const neighbour = queryRoute(route, { destination: place.address, matched: false });
  if (neighbour?.type !== "unicast" || neighbour.linkIndex === undefined) return undefined;
  if (neighbour.gateway !== undefined) return undefined;
  return { linkIndex: neighbour.linkIndex, gateway: place.address, onlink: false };
}
