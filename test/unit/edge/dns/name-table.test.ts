import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { reverseAddress } from "../../../../edge/dns/reverse.ts";
import { type Ip, ipBytes, ipFromBytes } from "../../../../src/base/ip.ts";
import type { ObjectChange } from "../../../../src/network/object-change.ts";
import { NameTableWorld } from "../../../support/name-table-world.ts";
import {
  dnsName,
  ip,
  makeEndpoint,
  makeService,
  makeSlice,
  serviceChange,
  sliceChange,
} from "../../../support/network-objects.ts";

describe("the zone", () => {
  const world = new NameTableWorld();

  test.each([
    ["dns-version.cluster.local", "TXT", 'NOERROR: "1.1.0"'],
    ["dns-version.cluster.local", "A", "NOERROR: soa cluster.local"],
    ["cluster.local", "SOA", "NOERROR: ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"],
    ["cluster.local", "NS", "NOERROR: ns.dns.cluster.local."],
    ["cluster.local", "A", "NOERROR: soa cluster.local"],
    ["ns.dns.cluster.local", "A", "NOERROR: 169.254.25.10"],
    ["ns.dns.cluster.local", "AAAA", "NOERROR: fd00::10"],
    ["dns.cluster.local", "A", "NOERROR: soa cluster.local"],
    ["svc.cluster.local", "A", "NOERROR: soa cluster.local"],
    ["pod.cluster.local", "A", "NOERROR: soa cluster.local"],
    ["shop.svc.cluster.local", "A", "NOERROR: soa cluster.local"],
    ["nowhere.svc.cluster.local", "A", "NXDOMAIN: soa cluster.local"],
    ["web.nowhere.svc.cluster.local", "A", "NXDOMAIN: soa cluster.local"],
    ["nothing.shop.svc.cluster.local", "A", "NXDOMAIN: soa cluster.local"],
    ["nothing.cluster.local", "A", "NXDOMAIN: soa cluster.local"],
    ["WEB.Shop.SVC.cluster.LOCAL", "A", "NOERROR: 10.96.0.10"],
    ["v4.shop.svc.cluster.local", "AAAA", "NOERROR: soa cluster.local"],
    ["web.shop.svc.cluster.local", "ANY", 'NOERROR: "RFC8482" ""'],
    ["outside.shop.svc.cluster.local", "CNAME", "NOERROR: www.example.com."],
    ["outside.shop.svc.cluster.local", "ANY", "NOERROR: www.example.com."],
    ["outside.shop.svc.cluster.local", "AAAA", "alias: www.example.com"],
    ["10-1-2-3.shop.pod.cluster.local", "A", "NOERROR: 10.1.2.3"],
    ["10-1-2-3.shop.pod.cluster.local", "AAAA", "NOERROR: soa cluster.local"],
    ["fd00--1-2.shop.pod.cluster.local", "AAAA", "NOERROR: fd00::1:2"],
    ["10-1-2-256.shop.pod.cluster.local", "A", "NXDOMAIN: soa cluster.local"],
    ["10-1-2-3.x.shop.pod.cluster.local", "A", "NXDOMAIN: soa cluster.local"],
    ["shop.pod.cluster.local", "A", "NOERROR: soa cluster.local"],
    ["10.0.96.10.in-addr.arpa", "PTR", "NOERROR: web.shop.svc.cluster.local."],
    ["1.1.1.10.in-addr.arpa", "PTR", "NOERROR: db-0.db.data.svc.cluster.local."],
    ["3.1.1.10.in-addr.arpa", "PTR", "NOERROR: 10-1-1-3.db.data.svc.cluster.local."],
    ["4.1.1.10.in-addr.arpa", "PTR", "forward"],
    ["1.1.1.10.in-addr.arpa", "A", "forward"],
    ["www.example.com", "A", "forward"],
    ["local", "A", "forward"],
    ["xcluster.local", "A", "forward"],
    // One label with a dot in it is not two.
    ["ns\\.dns.cluster.local", "A", "NXDOMAIN: soa cluster.local"],
    ["web\\.shop.svc.cluster.local", "A", "NXDOMAIN: soa cluster.local"],
    ["shop/web.svc.cluster.local", "A", "NXDOMAIN: soa cluster.local"],
  ])("answers %s %s with %s", (name, type, answer) => {
    // Asked twice: looked up, and then from what was prepared.
    expect([world.ask(name, type), world.ask(name, type)]).toEqual([answer, answer]);
  });
});

describe("a change", () => {
  test("of a service shows in its next answer, prepared or not", () => {
    const world = new NameTableWorld();
    expect(world.ask("v4.shop.svc.cluster.local", "A")).toBe("NOERROR: 10.96.0.11");
    world.apply(serviceChange(makeService("shop/v4", { clusterIps: [ip("10.96.0.99")] })));
    expect(world.ask("v4.shop.svc.cluster.local", "A")).toBe("NOERROR: 10.96.0.99");
    expect(world.ask("99.0.96.10.in-addr.arpa", "PTR")).toBe("NOERROR: v4.shop.svc.cluster.local.");
    expect(world.ask("11.0.96.10.in-addr.arpa", "PTR")).toBe("forward");
  });

  test("leaves other services' prepared answers alone", () => {
    const world = new NameTableWorld();
    world.ask("web.shop.svc.cluster.local", "A");
    world.ask("v4.shop.svc.cluster.local", "A");
    world.apply(serviceChange(makeService("shop/v4", { clusterIps: [ip("10.96.0.99")] })));
    expect([
      world.isPrepared("web.shop.svc.cluster.local", "A"),
      world.isPrepared("v4.shop.svc.cluster.local", "A"),
    ]).toEqual([true, false]);
  });

  test("of endpoints moves a headless service's names, forwards and backwards", () => {
    const world = new NameTableWorld();
    world.ask("db.data.svc.cluster.local", "A");
    world.ask("2.1.1.10.in-addr.arpa", "PTR");
    world.apply(sliceChange(makeSlice("data/db", [makeEndpoint("10.1.1.7", { hostname: "db-1" })])));
    expect(world.ask("db.data.svc.cluster.local", "A")).toBe("NOERROR: 10.1.1.7");
    expect(world.ask("2.1.1.10.in-addr.arpa", "PTR")).toBe("forward");
    expect(world.ask("7.1.1.10.in-addr.arpa", "PTR")).toBe("NOERROR: db-1.db.data.svc.cluster.local.");
  });

  test("that removes the last service of a namespace removes the namespace", () => {
    const world = new NameTableWorld([serviceChange(makeService("alone/one", { clusterIps: [ip("10.96.1.1")] }))]);
    expect(world.ask("alone.svc.cluster.local", "A")).toBe("NOERROR: soa cluster.local");
    world.apply({ kind: "Service", key: "alone/one", value: undefined });
    expect(world.ask("alone.svc.cluster.local", "A")).toBe("NXDOMAIN: soa cluster.local");
    expect(world.ask("one.alone.svc.cluster.local", "A")).toBe("NXDOMAIN: soa cluster.local");
    expect(world.table.serviceCount).toBe(0);
  });

  test("of one of two services that share an address shows in its PTR answer", () => {
    const world = new NameTableWorld([
      serviceChange(makeService("a/one", { clusterIps: [ip("10.96.1.1")] })),
      serviceChange(makeService("a/two", { clusterIps: [ip("10.96.1.1")] })),
    ]);
    expect(world.ask("1.1.96.10.in-addr.arpa", "PTR")).toBe(
      "NOERROR: one.a.svc.cluster.local., two.a.svc.cluster.local.",
    );
    world.apply({ kind: "Service", key: "a/one", value: undefined });
    expect(world.ask("1.1.96.10.in-addr.arpa", "PTR")).toBe("NOERROR: two.a.svc.cluster.local.");
  });

  test("to a service whose name is no label gives it no name", () => {
    const world = new NameTableWorld([
      serviceChange(makeService(`shop/${"x".repeat(64)}`, { clusterIps: [ip("10.96.1.1")] })),
    ]);
    expect([world.table.serviceCount, world.ask("1.1.96.10.in-addr.arpa", "PTR")]).toEqual([0, "forward"]);
  });

  test("by change ends where starting afresh begins", () => {
    const key = fc.constantFrom("a/one", "a/two", "b/one");
    const address = fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1");
    const service = fc.tuple(key, fc.option(address), fc.boolean()).map(([at, clusterIp, headless]): ObjectChange => {
      if (clusterIp === null) return { kind: "Service", key: at, value: undefined };
      return serviceChange(makeService(at, headless ? { headless } : { clusterIps: [ip(clusterIp)] }));
    });
    const slice = fc.tuple(key, fc.array(address, { maxLength: 3 })).map(([at, list]): ObjectChange => {
      return sliceChange(
        makeSlice(
          at,
          list.map((one) => makeEndpoint(one, { hostname: `h-${one.length}` })),
          { name: "s" },
        ),
      );
    });
    const names = ["one.a", "two.a", "one.b", "h-8.one.a", "h-7.two.a", "a", "b"].map(
      (name) => `${name}.svc.cluster.local`,
    );
    const questions = [
      ...names.flatMap((name) => [
        [name, "A"],
        [name, "AAAA"],
        [name, "SRV"],
      ]),
      ["1.0.0.10.in-addr.arpa", "PTR"],
      ["2.0.0.10.in-addr.arpa", "PTR"],
    ];
    fc.assert(
      fc.property(fc.array(fc.oneof(service, slice), { maxLength: 12 }), (changes) => {
        const stepped = new NameTableWorld([]);
        for (const change of changes) {
          stepped.apply(change);
          for (const [name = "", type = ""] of questions) stepped.ask(name, type);
        }
        const fresh = new NameTableWorld(changes);
        for (const [name = "", type = ""] of questions) expect(stepped.ask(name, type)).toBe(fresh.ask(name, type));
      }),
    );
  });
});

function reverseName(address: Ip): string {
  const bytes = ipBytes(address);
  const [parts, zone] = bytes.length === 4 ? [Array.from(bytes, String), "in-addr"] : [[...bytes.toHex()], "ip6"];
  return `${parts.reverse().join(".")}.${zone}.arpa`;
}

describe("a reverse name", () => {
  test("leads back to its address", () => {
    const address = fc
      .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
      .map(ipFromBytes);
    fc.assert(fc.property(address, (one) => expect(reverseAddress(dnsName(reverseName(one)))).toBe(one)));
  });

  test.each(["1.0.0.in-addr.arpa", "1.2.3.256.in-addr.arpa", "01.2.3.4.in-addr.arpa", "1.2.3.4.ip6.arpa", "4.3.2.1"])(
    "is not %s",
    (name) => {
      expect(reverseAddress(dnsName(name))).toBeUndefined();
    },
  );
});
