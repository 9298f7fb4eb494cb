import { expect, test } from "bun:test";
import { parseResolvConf, withoutOwn } from "../../../../edge/dns/resolv-conf.ts";
import { formatUpstream } from "../../../../edge/dns/upstream-transport.ts";
import { ip } from "../../../support/network-objects.ts";

function servers(text: string): string[] {
  return parseResolvConf(text).map(formatUpstream);
}

test("name servers are read in order, and everything else is passed over", () => {
  const text =
    "# nameserver 192.0.2.9\nnameserver 192.0.2.1\nsearch a b\nnameserver\t2001:db8::1 # second\n nameserver 192.0.2.8\nnameserver nonsense\nnameserver\n";
  expect(servers(text)).toEqual(["192.0.2.1:53", "[2001:db8::1]:53"]);
});

test("a link-local name server is read with its link, and without what no link's name or number is", () => {
  const read = ["fe80::1%eth0", "fe80::1%br-lan.7", "FE80::1%3"];
  const passedOver = ["fe80::1%", "fe80::1%a/b", "fe80::1%a%b", "%eth0", "192.0.2.1%eth0", "2001:db8::1%eth0"];
  const text = [...read, ...passedOver].map((server) => `nameserver ${server}\n`).join("");
  expect(servers(text)).toEqual(["[fe80::1%eth0]:53", "[fe80::1%br-lan.7]:53", "[fe80::1%3]:53"]);
});

test("eight name servers and 64 KiB are the most", () => {
  const many = Array.from({ length: 20 }, (_, i) => `nameserver 192.0.2.${i}\n`).join("");
  expect([servers(many).length, servers(`${"#".repeat(65_536)}\n${many}`)]).toEqual([8, []]);
});

test("where we listen ourselves is no upstream, unless on another port", () => {
  const own = [ip("127.0.0.53"), ip("::1")];
  const list = ["127.0.0.53", "::1", "192.0.2.1"].map((address) => ({ address: ip(address), port: 53 }));
  expect(withoutOwn(list, own, 53).map((server) => server.address)).toEqual([ip("192.0.2.1")]);
  expect(withoutOwn(list, own, 5353)).toEqual(list);
});
