import type { NetlinkMessage } from "../wire/netlink.ts";
import {
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_LINK,
} from "../wire/rtnetlink.ts";
import { decodeAddress, type LinkAddress } from "../wire/rtnetlink-address.ts";
import { decodeLink, type Link } from "../wire/rtnetlink-link.ts";
import { NetlinkEvents } from "./netlink-events.ts";
import { NETLINK_ROUTE } from "./netlink-socket.ts";

export type LinkEvent =
  | { readonly kind: "link"; readonly link: Link; readonly gone: boolean }
  | { readonly kind: "address"; readonly address: LinkAddress; readonly gone: boolean }
  /** Something was missed: list links and addresses again. */
  | { readonly kind: "overflow" };

/**
 * Links and addresses that come, change and go, on any link.
 * @returns when everything from now on will be reported; the caller closes it
 */
export function watchLinks(
  onEvent: (event: LinkEvent) => void,
  onFailure: (error: unknown) => void,
): Promise<NetlinkEvents> {
  return NetlinkEvents.open(NETLINK_ROUTE, [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR], {
    onMessages: (messages) => {
      for (const message of messages) {
        const event = linkEvent(message);
        if (event !== undefined) onEvent(event);
      }
    },
    onOverflow: () => onEvent({ kind: "overflow" }),
    onFailure,
  });
}

function linkEvent(message: NetlinkMessage): LinkEvent | undefined {
  if (message.type === RTM_NEWLINK || message.type === RTM_DELLINK) {
    const link = decodeLink(message);
    return link.ok ? { kind: "link", link: link.value, gone: message.type === RTM_DELLINK } : { kind: "overflow" };
  }
  if (message.type === RTM_NEWADDR || message.type === RTM_DELADDR) {
    const address = decodeAddress(message);
    if (!address.ok) return { kind: "overflow" };
    const gone = message.type === RTM_DELADDR;
    return address.value === undefined ? undefined : { kind: "address", address: address.value, gone };
  }
  return undefined;
}
