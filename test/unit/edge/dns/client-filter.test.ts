import { expect, test } from "bun:test";
import { ClientFilter } from "../../../../edge/dns/client-filter.ts";
import type { Ip } from "../../../../src/base/ip.ts";

test("a client is judged by its address alone, once", () => {
  const judged: Ip[] = [];
  const filter = new ClientFilter((client) => {
    judged.push(client);
    return client === "10.0.0.1" || client === "fe80::1";
  });
  const clients = ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "10.0.0.2", "10.0.0.1", "nonsense"];
  expect(clients.map((client) => filter.allows(client))).toEqual([true, true, true, false, true, false]);
  expect(judged).toEqual(["10.0.0.1", "10.0.0.1", "fe80::1", "10.0.0.2"] as Ip[]);
});

test("an address of IPv4 is judged as well by its number, and forgotten with the others", () => {
  const judged: Ip[] = [];
  const filter = new ClientFilter((client) => {
    judged.push(client);
    return client === "10.0.0.1" || client === "203.0.113.255";
  });
  const clients = [0x0a000001, 0xcb0071ff, 0x0a000002, 0x0a000001];
  expect(clients.map((client) => filter.allowsIpv4(client))).toEqual([true, true, false, true]);
  expect(judged).toEqual(["10.0.0.1", "203.0.113.255", "10.0.0.2"] as Ip[]);
  filter.forget();
  filter.allowsIpv4(0x0a000001);
  expect(judged).toHaveLength(4);
});

test("verdicts are forgotten when asked to, and when there are more than 4,096", () => {
  let judged = 0;
  const filter = new ClientFilter(() => {
    judged += 1;
    return true;
  });
  filter.allows("10.0.0.1");
  filter.forget();
  filter.allows("10.0.0.1");
  expect(judged).toBe(2);
  for (let i = 0; i < 4096; i++) filter.allows(`10.1.${i >> 8}.${i & 255}`);
  filter.allows("10.0.0.1");
  expect(judged).toBe(2 + 4096 + 1);
});
