import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Rcode } from "../../../../src/wire/dns.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { dig } from "../../../support/dig.ts";
import { type DnsServer, startDns } from "../../../support/dns-server.ts";
import { FakeUpstream, fails, says } from "../../../support/fake-upstream.ts";
import { inNamespace } from "../../../support/in-namespace.ts";
import {
  ip,
  makeEndpoint,
  makeService,
  makeSlice,
  serviceChange,
  sliceChange,
  specificationServices,
} from "../../../support/network-objects.ts";

const SOA = "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5";

inNamespace(import.meta.path, () => {
  let server: DnsServer;
  let upstream: FakeUpstream;
  const ask = (words: string) => dig(server.port, words);

  beforeAll(async () => {
    upstream = await FakeUpstream.start(says("192.0.2.1", 300));
    const endpoints = Array.from({ length: 200 }, (_, i) => makeEndpoint(`10.9.0.${i}`));
    const many = [
      serviceChange(makeService("data/many", { headless: true })),
      sliceChange(makeSlice("data/many", endpoints)),
    ];
    server = await startDns([...specificationServices(), ...many], {
      bindAddresses: [ip("127.0.0.1"), ip("::1")],
      upstreams: [upstream.server],
    });
  });
  afterAll(async () => {
    await server.close();
    upstream.close();
  });

  describe("dig sees", () => {
    test("an A record, with the authority's flag and the case that it asked in", async () => {
      const { status, flags, answers, udpBytes } = await ask("WEB.shop.svc.cluster.local A");
      expect([status, flags, udpBytes, answers]).toEqual([
        "NOERROR",
        "qr aa rd ra",
        1232,
        ["WEB.shop.svc.cluster.local. 30 IN A 10.96.0.10"],
      ]);
    });

    test("an AAAA record, over IPv6", async () => {
      const port = server.dns.status().listeners[1]?.port ?? 0;
      const { answers } = await dig(port, "web.shop.svc.cluster.local AAAA", "::1");
      expect(answers).toEqual(["web.shop.svc.cluster.local. 30 IN AAAA fd00:96::10"]);
    });

    test("NOERROR and the SOA for AAAA of a name that has only A", async () => {
      const { status, answers, authorities } = await ask("v4.shop.svc.cluster.local AAAA");
      expect([status, answers, authorities]).toEqual(["NOERROR", [], [SOA]]);
    });

    test("NXDOMAIN and the SOA for a name that is not there", async () => {
      const { status, answers, authorities } = await ask("nothing.shop.svc.cluster.local A");
      expect([status, answers, authorities]).toEqual(["NXDOMAIN", [], [SOA]]);
    });

    test("SRV records with their addresses beside them", async () => {
      const { answers, additionals } = await ask("_http._tcp.db.data.svc.cluster.local SRV");
      expect(answers).toEqual([
        "_http._tcp.db.data.svc.cluster.local. 30 IN SRV 0 33 8080 db-0.db.data.svc.cluster.local.",
        "_http._tcp.db.data.svc.cluster.local. 30 IN SRV 0 33 8080 db-1.db.data.svc.cluster.local.",
        "_http._tcp.db.data.svc.cluster.local. 30 IN SRV 0 33 8080 10-1-1-3.db.data.svc.cluster.local.",
      ]);
      expect(additionals).toContain("db-0.db.data.svc.cluster.local. 30 IN AAAA fd00:1::1");
    });

    test("PTR records of both families", async () => {
      expect((await ask("-x 10.96.0.10")).answers).toEqual([
        "10.0.96.10.in-addr.arpa. 30 IN PTR web.shop.svc.cluster.local.",
      ]);
      expect((await ask("-x fd00:96::10")).answers[0]).toEndWith("ip6.arpa. 30 IN PTR web.shop.svc.cluster.local.");
    });

    test("the schema version", async () => {
      expect((await ask("dns-version.cluster.local TXT")).answers).toEqual([
        'dns-version.cluster.local. 28800 IN TXT "1.1.0"',
      ]);
    });

    test("an ExternalName with what it leads to", async () => {
      expect((await ask("outside.shop.svc.cluster.local A")).answers).toEqual([
        "outside.shop.svc.cluster.local. 30 IN CNAME www.example.com.",
        "www.example.com. 300 IN A 192.0.2.1",
      ]);
    });

    test("a large answer cut over UDP, and whole when it comes back over TCP", async () => {
      const { flags, answers } = await ask("many.data.svc.cluster.local A +ignore");
      expect([flags, answers.length]).toEqual(["qr aa tc rd ra", 73]);
      const whole = await ask("many.data.svc.cluster.local A");
      expect([whole.transport, whole.answers.length, whole.flags]).toEqual(["TCP", 200, "qr aa rd ra"]);
    });

    test("at most 512 bytes without EDNS", async () => {
      const { output, flags } = await ask("many.data.svc.cluster.local A +noedns +ignore");
      expect([Number(/rcvd: (\d+)/.exec(output)?.[1]) <= 512, flags]).toEqual([true, "qr aa tc rd ra"]);
    });

    test.each([
      ["REFUSED", "a zone transfer", "cluster.local AXFR +noall +comments"],
      ["REFUSED", "class CHAOS", "version.bind TXT CH"],
      ["BADVERS", "EDNS of version 1", "web.shop.svc.cluster.local +edns=1 +noednsneg"],
      ["NOTIMP", "another opcode", "web.shop.svc.cluster.local +opcode=notify"],
      ["NOERROR", "cookies, and unknown options", "web.shop.svc.cluster.local +cookie +ednsopt=65001:0102"],
      ["NOERROR", "DO and CD", "web.shop.svc.cluster.local +dnssec +cdflag"],
      ["NOERROR", "no wish for recursion", "web.shop.svc.cluster.local +norecurse"],
    ])("%s for %s", async (status, _, words) => {
      const answer = await ask(words);
      expect(answer.output).toMatch(new RegExp(`status: ${status}|Transfer failed`));
    });

    test("a forwarded name with recursion and without authority, then from the cache", async () => {
      const first = await ask("mail.example.org A");
      expect([first.flags, first.answers]).toEqual(["qr rd ra", ["mail.example.org. 300 IN A 192.0.2.1"]]);
      const asked = upstream.asked.length;
      expect((await ask("mail.example.org A")).answers.length).toBe(1);
      expect(upstream.asked.length).toBe(asked);
    });

    test("SERVFAIL for a name whose upstream fails", async () => {
      upstream.behaviour = fails(Rcode.ServFail);
      expect((await ask("broken.example.org A")).status).toBe("SERVFAIL");
      upstream.behaviour = says("192.0.2.1", 300);
    });
  });

  test("`resolve` says what dig sees, and where it is from", async () => {
    const { answers } = await ask("db-1.db.data.svc.cluster.local A");
    const resolved = await server.dns.resolve("db-1.db.data.svc.cluster.local", 1);
    expect(resolved.answers.map((a) => `${a.name}. ${a.ttlSeconds} IN ${a.type} ${a.data}`)).toEqual([...answers]);
    expect([resolved.source, (await server.dns.resolve("new.example.org", 1)).source]).toEqual(["cluster", "upstream"]);
  });

  test("a client that is not allowed gets nothing, and is counted", async () => {
    const own = await startDns(specificationServices(), { allowed: () => false });
    expect((await dig(own.port, "web.shop.svc.cluster.local A +time=1")).status).toBe("none");
    expect(own.metrics.render()).toContain('selvedge_dns_dropped_total{reason="foreign"} 1');
    await own.close();
  });

  test("an upstream that leads back to us is found out, and its questions are not asked", async () => {
    // Bound to every address, so that 127.0.0.3 is not known as its own.
    const upstreams = [{ address: ip("127.0.0.3"), port: 5353 }];
    const wide = await startDns([], { bindAddresses: [ip("0.0.0.0")], port: 5353, upstreams });
    await waitFor("the loop", () => wide.health.list().some((condition) => condition.code === "DNS_FORWARD_LOOP"));
    expect((await dig(wide.port, "www.example.com A")).status).toBe("SERVFAIL");
    await wide.close();
  });
});
