import type { NetlinkMessage } from "../wire/netlink.ts";
import {
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELROUTE,
  RTM_DELRULE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
  RTM_NEWRULE,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_IPV6_RULE,
  RTNLGRP_LINK,
} from "../wire/rtnetlink.ts";
import { decodeRouteTable } from "../wire/rtnetlink-route.ts";
import { NetlinkEvents } from "./netlink-events.ts";
import { NETLINK_ROUTE, type NetlinkSocket } from "./netlink-socket.ts";

/** What of the routing has changed since the last report, by somebody else's hand. */
export interface RoutingChange {
  /** Tables in which a route came, changed or went. A link that goes down takes IPv4 routes along without a word. */
  readonly tables: ReadonlySet<number>;
  readonly rules: boolean;
  /** Links or their addresses. */
  readonly links: boolean;
  /** Which ones. */
  readonly linkIndexes: ReadonlySet<number>;
  /** Something was missed: any of these may have changed. */
  readonly lost: boolean;
}

const GROUPS = [
  ...[RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR],
  ...[RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE],
];
const LINKS: ReadonlySet<number> = new Set([RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_DELADDR]);

const NOTHING: RoutingChange = {
  ...{ tables: new Set(), rules: false, links: false, linkIndexes: new Set(), lost: false },
};

/**
 * @param own the socket whose own changes are not reported
 * @param onChange once for each run of events
 * @returns when everything from now on will be reported; the caller closes it
 */
export function watchRouting(
  own: NetlinkSocket,
  onChange: (change: RoutingChange) => void,
  onFailure: (error: unknown) => void,
): Promise<NetlinkEvents> {
  return NetlinkEvents.open(NETLINK_ROUTE, GROUPS, {
    onMessages: (messages) => {
      const change = routingChange(messages, own.port);
      if (change !== undefined) onChange(change);
    },
    onOverflow: () => onChange({ ...NOTHING, lost: true }),
    onFailure,
  });
}

function routingChange(messages: readonly NetlinkMessage[], ownPort: number): RoutingChange | undefined {
  const tables = new Set<number>();
  const linkIndexes = new Set<number>();
  let rules = false;
  for (const message of messages) {
    // The kernel's own changes carry port 0, as does a socket that was never answered.
    if (message.port === ownPort && ownPort !== 0) continue;
    if (message.type === RTM_NEWROUTE || message.type === RTM_DELROUTE) {
      const table = decodeRouteTable(message);
      if (table !== undefined) tables.add(table);
    } else if (message.type === RTM_NEWRULE || message.type === RTM_DELRULE) rules = true;
    else if (LINKS.has(message.type)) linkIndexes.add(linkIndexOf(message));
  }
  const links = linkIndexes.size > 0;
  return tables.size > 0 || rules || links ? { ...NOTHING, tables, rules, links, linkIndexes } : undefined;
}

/** It stands at one place in struct ifinfomsg and struct ifaddrmsg; 0 where the message is shorter than both. */
function linkIndexOf({ payload }: NetlinkMessage): number {
  return payload.length < 8 ? 0 : new DataView(payload.buffer, payload.byteOffset).getUint32(4, true);
}
