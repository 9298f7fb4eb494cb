import { expect, test } from "bun:test";
import { listAddresses } from "../../../../src/linux/addresses.ts";
import type { NetlinkSocket } from "../../../../src/linux/netlink-socket.ts";
import { ip } from "../../../support/network-objects.ts";

test("a kernel without IPv6, which answers with its IPv4 addresses, has no IPv6 ones", () => {
  const loopback = { linkIndex: 1, address: ip("127.0.0.1"), prefixLength: 8, scope: "host", label: "lo" };
  const kernel: Pick<NetlinkSocket, "request"> = { request: () => [loopback] as never };
  expect(listAddresses(kernel as NetlinkSocket, 6)).toEqual([]);
  expect(listAddresses(kernel as NetlinkSocket, 4)).toHaveLength(1);
});
