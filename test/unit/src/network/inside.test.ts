import { expect, test } from "bun:test";
import { isInside } from "../../../../src/network/inside.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

test("the loopback, the node's own addresses and the networks are inside, nothing else is", () => {
  const inside = { addresses: [ip("192.0.2.11"), ip("fd00::11")], networks: [prefix("10.244.1.0/24")] };
  const clients = ["127.0.0.53", "::1", "192.0.2.11", "fd00::11", "10.244.1.9", "192.0.2.12", "10.244.2.9", "fd00::12"];
  expect(clients.filter((client) => isInside(inside, ip(client)))).toEqual(clients.slice(0, 5));
});
