import { type Ip, ipFamily } from "../base/ip.ts";
import type { LinkAddress } from "../wire/rtnetlink-address.ts";
import type { Link, VirtualLinkKind } from "../wire/rtnetlink-link.ts";

export interface ObservedLinks {
  readonly links: readonly Link[];
  readonly addresses: readonly LinkAddress[];
}

export interface WantedServiceLink {
  readonly name: string;
  readonly addresses: ReadonlySet<Ip>;
  /** Kinds of link that this kernel can make, the one to prefer first; empty means that `lo` has to do. */
  readonly kinds: readonly VirtualLinkKind[];
  /** IPv6 addresses that we put on `lo`; IPv4 ones are known by their label. */
  readonly ownOnLoopback: ReadonlySet<Ip>;
}

export interface ServiceLinkPlan {
  /** The first step: make the link, and plan again. */
  readonly create: VirtualLinkKind | undefined;
  /** Where the addresses are; undefined exactly when `create` is set. */
  readonly holder: Link | undefined;
  readonly setUp: boolean;
  readonly remove: readonly LinkAddress[];
  readonly add: readonly LinkAddress[];
  /** Another program's link has the name: nothing is planned. */
  readonly foreign: Link | undefined;
}

/** Marks our IPv4 addresses on `lo`; a label starts with the link's name and has at most 15 characters. */
export const LOOPBACK_LABEL = "lo:selvedge";

const NOTHING = { create: undefined, holder: undefined, setUp: false, remove: [], add: [], foreign: undefined };

/**
 * A link of this name that is up and has exactly these addresses, each for itself (/32 or /128) and of scope host, so
 * that none becomes the source of what the node sends elsewhere. What another link of the node has is left out.
 */
export function planServiceLink(observed: ObservedLinks, wanted: WantedServiceLink): ServiceLinkPlan {
  const named = observed.links.find((link) => link.name === wanted.name);
  if (named !== undefined && !isOurs(named, observed.links)) return { ...NOTHING, foreign: named };
  const [kind] = wanted.kinds;
  if (named === undefined && kind !== undefined) return { ...NOTHING, create: kind };
  const holder = named ?? observed.links.find((link) => link.loopback);
  if (holder === undefined) return NOTHING;

  const present = observed.addresses.filter((a) => a.linkIndex === holder.index && isManaged(a, holder, wanted));
  const kept = new Set(present.filter((a) => wanted.addresses.has(a.address) && isExact(a)).map((a) => a.address));
  // An external IP that is an address of this node anyway.
  const elsewhere = new Set(observed.addresses.filter((a) => a.linkIndex !== holder.index).map((a) => a.address));
  return {
    ...NOTHING,
    holder,
    setUp: !holder.up,
    remove: present.filter((a) => !kept.has(a.address)),
    add: [...wanted.addresses].filter((ip) => !kept.has(ip) && !elsewhere.has(ip)).map((ip) => addressOn(holder, ip)),
  };
}

/** FabEdge's, ours, or an administrator's dummy or bridge; a bridge with ports carries somebody's traffic. */
function isOurs(link: Link, links: readonly Link[]): boolean {
  if (link.kind === "dummy") return true;
  return link.kind === "bridge" && !links.some((port) => port.master === link.index);
}

function isManaged(address: LinkAddress, holder: Link, wanted: WantedServiceLink): boolean {
  // The kernel's own fe80:: address.
  if (address.scope === "link") return false;
  if (!holder.loopback) return true;
  return address.label === LOOPBACK_LABEL || wanted.ownOnLoopback.has(address.address);
}

/** FabEdge and an administrator may have chosen another scope: what is reachable is left as it is. */
function isExact(address: LinkAddress): boolean {
  return address.prefixLength === (ipFamily(address.address) === 4 ? 32 : 128);
}

function addressOn(holder: Link, address: Ip): LinkAddress {
  const isIpv4 = ipFamily(address) === 4;
  return {
    linkIndex: holder.index,
    address,
    prefixLength: isIpv4 ? 32 : 128,
    scope: "host",
    label: holder.loopback && isIpv4 ? LOOPBACK_LABEL : undefined,
  };
}
