import { expect, test } from "bun:test";
import type { Ip } from "../../../../src/base/ip.ts";
import { describeLinks } from "../../../../src/linux/node-links.ts";
import type { LinkAddress } from "../../../../src/wire/rtnetlink-address.ts";
import type { Link } from "../../../../src/wire/rtnetlink-link.ts";

function link(index: number, over: Partial<Link>): Link {
  return {
    index,
    name: `link${index}`,
    kind: undefined,
    up: true,
    running: true,
    loopback: false,
    multicast: true,
    mtu: 1500,
    master: undefined,
    bridgeCallsIptables: undefined,
    ...over,
  };
}

function address(linkIndex: number, text: string, prefixLength: number): LinkAddress {
  return { linkIndex, address: text as Ip, prefixLength, scope: "global" };
}

const PODS = link(3, { kind: "bridge" });
const LAN = link(4, { kind: "bridge" });
const LINKS = [
  link(1, { loopback: true }),
  PODS,
  LAN,
  link(5, { kind: "veth", master: 3 }),
  link(6, { master: 4 }),
  link(7, { kind: "veth", master: 4 }),
];
const ADDRESSES = [address(1, "127.0.0.1", 8), address(3, "10.244.1.1", 24), address(4, "192.168.1.9", 24)];

test("a bridge that a wire leaves is no pod network, whatever else is on it", () => {
  const { podNetworks, ownAddresses } = describeLinks(LINKS, ADDRESSES, false);
  expect(podNetworks).toEqual([{ address: "10.244.1.0" as Ip, length: 24 }]);
  expect(ownAddresses).toEqual(["127.0.0.1", "10.244.1.1", "192.168.1.9"] as Ip[]);
});

test("a bridge is filtered when all are, or when it is by itself", () => {
  expect(describeLinks(LINKS, ADDRESSES, false).unfilteredBridges).toEqual([3, 4]);
  expect(describeLinks(LINKS, ADDRESSES, true).unfilteredBridges).toEqual([]);
  const own = LINKS.map((l) => (l.index === 3 ? { ...l, bridgeCallsIptables: true } : l));
  expect(describeLinks(own, ADDRESSES, false).unfilteredBridges).toEqual([4]);
});
