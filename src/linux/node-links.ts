import { type Ip, makePrefix, type Prefix } from "../base/ip.ts";
import type { LinkAddress } from "../wire/rtnetlink-address.ts";
import type { Link } from "../wire/rtnetlink-link.ts";
import { listAddresses } from "./addresses.ts";
import { listLinks } from "./links.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";
import { readSysctl } from "./sysctl.ts";

/** What this node's links say about who is on it. */
export interface NodeLinks {
  readonly ownAddresses: readonly Ip[];
  /** Of bridges that no wire leaves: pods and containers of this node are there, and nobody else. */
  readonly podNetworks: readonly Prefix[];
  /** Indexes of bridges whose traffic between two ports no packet filter sees. */
  readonly unfilteredBridges: readonly number[];
}

/** @param route a NETLINK_ROUTE socket */
export function observeNodeLinks(route: NetlinkSocket): NodeLinks {
  const bridgeCallsIptables = readSysctl("net/bridge/bridge-nf-call-iptables") === "1";
  return describeLinks(listLinks(route), [...listAddresses(route, 4), ...listAddresses(route, 6)], bridgeCallsIptables);
}

/**
 * @param bridgeCallsIptables net.bridge.bridge-nf-call-iptables, false where br_netfilter is not loaded; a bridge can
 * be switched on by itself besides
 */
export function describeLinks(
  links: readonly Link[],
  addresses: readonly LinkAddress[],
  bridgeCallsIptables: boolean,
): NodeLinks {
  const bridges = links.filter((link) => link.kind === "bridge");
  const wired = new Set(links.filter((link) => !isVirtualPort(link)).map((link) => link.master));
  const inner = new Set(bridges.filter((bridge) => !wired.has(bridge.index)).map((bridge) => bridge.index));
  return {
    ownAddresses: addresses.map((address) => address.address),
    podNetworks: addresses
      .filter((address) => inner.has(address.linkIndex))
      .map((address) => makePrefix(address.address, address.prefixLength)),
    unfilteredBridges: bridges
      .filter((bridge) => !bridgeCallsIptables && bridge.bridgeCallsIptables !== true)
      .map((bridge) => bridge.index),
  };
}

/** The other end is in a network namespace or a guest of this node. */
function isVirtualPort(link: Link): boolean {
  return link.kind === "veth" || link.kind === "tun";
}
