import { type Ip, ipBytes, ipFamily, makePrefix, type Prefix, prefixContains } from "../../src/base/ip.ts";
import type { LinkAddress } from "../../src/wire/rtnetlink-address.ts";
import type { PodLink } from "../../src/wire/rtnetlink-pod-link.ts";

export interface Gateway {
  readonly address: Ip;
  readonly prefixLength: number;
}

export interface WantedBridge {
  readonly name: string;
  /** 0 leaves it as it is. */
  readonly mtu: number;
  /** Its addresses: the gateways of the pods. */
  readonly gateways: readonly Gateway[];
  /** Addresses that do not fit give way. */
  readonly force: boolean;
}

export type BridgePlan =
  /** Make the bridge with this address of its own, and plan again. */
  | { readonly kind: "create"; readonly hardwareAddress: Uint8Array }
  /** A link of another kind has the name. */
  | { readonly kind: "foreign"; readonly link: PodLink }
  /** It has another address already, and nobody said that it gives way. */
  | { readonly kind: "taken"; readonly by: LinkAddress; readonly gateway: Gateway }
  | {
      readonly kind: "change";
      readonly link: PodLink;
      readonly setUp: boolean;
      readonly mtu: number | undefined;
      readonly remove: readonly LinkAddress[];
      readonly add: readonly LinkAddress[];
    };

/**
 * A bridge of this name that is up and has the gateways' addresses, as the stock plugin bridge has it: it has one IPv4
 * address, and several IPv6 ones only where their subnets have nothing in common.
 *
 * @param link undefined where there is none of the name
 * @param addresses of that link
 */
export function planBridge(
  link: PodLink | undefined,
  addresses: readonly LinkAddress[],
  wanted: WantedBridge,
): BridgePlan {
  if (link === undefined) return { kind: "create", hardwareAddress: bridgeHardwareAddress(wanted.gateways) };
  if (link.kind !== "bridge") return { kind: "foreign", link };
  // The kernel's own fe80:: address is not looked at.
  const present = addresses.filter((address) => address.scope !== "link");
  const add = wanted.gateways.filter((gateway) => !present.some((address) => isSame(address, gateway)));
  const isWanted = (address: LinkAddress) => wanted.gateways.some((gateway) => isSame(address, gateway));
  const inTheWay = (gateway: Gateway) => present.filter((a) => !isWanted(a) && collide(a, gateway));
  for (const gateway of wanted.force ? [] : add) {
    const [by] = inTheWay(gateway);
    if (by !== undefined) return { kind: "taken", by, gateway };
  }
  return {
    kind: "change",
    link,
    setUp: !link.up,
    mtu: wanted.mtu === 0 || link.mtu === wanted.mtu ? undefined : wanted.mtu,
    remove: [...new Set(add.flatMap(inTheWay))],
    add: add.map((gateway) => ({ linkIndex: link.index, ...gateway, scope: "global" })),
  };
}

/**
 * Locally administered and made of the gateway's address, as kubenet made it: pods that have learned it go on when
 * the bridge is made anew.
 */
export function bridgeHardwareAddress(gateways: readonly Gateway[]): Uint8Array {
  const gateway = gateways.find(({ address }) => ipFamily(address) === 4) ?? gateways[0];
  return Uint8Array.of(0x0a, 0x58, ...(gateway === undefined ? [0, 0, 0, 0] : ipBytes(gateway.address).slice(-4)));
}

function isSame(address: LinkAddress, gateway: Gateway): boolean {
  return address.address === gateway.address && address.prefixLength === gateway.prefixLength;
}

function collide(address: LinkAddress, gateway: Gateway): boolean {
  if (ipFamily(address.address) !== ipFamily(gateway.address)) return false;
  return ipFamily(gateway.address) === 4 || overlap(prefixOf(address), prefixOf(gateway));
}

function prefixOf({ address, prefixLength }: Gateway): Prefix {
  return makePrefix(address, prefixLength);
}

function overlap(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? prefixContains(a, b.address) : prefixContains(b, a.address);
}
