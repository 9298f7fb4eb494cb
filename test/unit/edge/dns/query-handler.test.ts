import { describe, expect, test } from "bun:test";
import type { UpstreamTransport } from "../../../../edge/dns/upstream-transport.ts";
import { ok } from "../../../../src/base/result.ts";
import type { ObjectChange } from "../../../../src/network/object-change.ts";
import { Flag, formatRcode, RecordType } from "../../../../src/wire/dns.ts";
import { extendedErrors } from "../../../../src/wire/dns-edns.ts";
import { decodeMessage, encodeQuery, type Message } from "../../../../src/wire/dns-message.ts";
import { type DnsName, formatName, parseName } from "../../../../src/wire/dns-name.ts";
import { addressRecord, formatRecordData, nameRecord, type ResourceRecord } from "../../../../src/wire/dns-record.ts";
import { type HandlerWorld, makeHandler } from "../../../support/dns-handler.ts";
import {
  dnsName,
  ip,
  makeEndpoint,
  makeService,
  makeSlice,
  serviceChange,
  sliceChange,
  specificationServices,
} from "../../../support/network-objects.ts";

interface Asking {
  readonly type?: number;
  readonly udpBytes?: number;
  /** 0 leaves EDNS out. */
  readonly edns?: boolean;
  readonly transport?: "udp" | "tcp";
}

async function ask(
  world: HandlerWorld,
  text: string,
  asking: Asking = {},
): Promise<Message & { readonly size: number }> {
  const { type = RecordType.A, udpBytes = 1232, edns = true, transport = "udp" } = asking;
  const name = parseName(text);
  if (!name.ok) throw new Error(name.error.why);
  const query = encodeQuery(
    77,
    { name: name.value, type, class: 1 },
    { dnssecOk: false, checkingDisabled: false, udpBytes },
  );
  if (!edns) query[11] = 0;
  const response = await world.ask(edns ? query : query.subarray(0, query.length - 11), transport);
  const message = decodeMessage(response ?? new Uint8Array(0));
  if (response === undefined || !message.ok) throw new Error(`no answer to ${text}`);
  return { ...message.value, size: response.length };
}

function headless(count: number): readonly ObjectChange[] {
  const endpoints = Array.from({ length: count }, (_, i) => makeEndpoint(`10.2.${i >> 8}.${i & 255}`));
  return [serviceChange(makeService("data/many", { headless: true })), sliceChange(makeSlice("data/many", endpoints))];
}

function addresses(message: Message): string[] {
  return message.answers.filter((record) => record.type === RecordType.A).map(formatRecordData);
}

const MANY = "many.data.svc.cluster.local";

describe("a response", () => {
  const world = makeHandler(specificationServices());

  test("echoes id and question in the client's letter case, and owns its answer by it", async () => {
    const message = await ask(world, "wEb.ShOp.sVc.ClUsTeR.lOcAl");
    expect([message.id, formatName(message.questions[0]?.name ?? ("" as never))]).toEqual([
      77,
      "wEb.ShOp.sVc.ClUsTeR.lOcAl",
    ]);
    expect(message.answers.map((record) => formatName(record.name))).toEqual(["wEb.ShOp.sVc.ClUsTeR.lOcAl"]);
    const wanted = Flag.Response | Flag.Authoritative | Flag.RecursionDesired | Flag.RecursionAvailable;
    expect(message.flags).toBe(wanted);
  });

  test("has EDNS exactly when the query had", async () => {
    const [plain, edns] = [
      await ask(world, "web.shop.svc.cluster.local", { edns: false }),
      await ask(world, "web.shop.svc.cluster.local"),
    ];
    expect([plain.edns, edns.edns?.udpBytes]).toEqual([undefined, 1232]);
  });

  test("to a name outside is SERVFAIL at once without upstreams, and says why to who speaks EDNS", async () => {
    const message = await ask(world, "www.example.com");
    expect([formatRcode(message.rcode), extendedErrors(message.edns?.options ?? [])]).toEqual(["SERVFAIL", [22]]);
  });

  test("is none to a response", async () => {
    expect(await world.ask(Uint8Array.of(0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1))).toBeUndefined();
  });

  test("to another opcode is NOTIMP, with the opcode and without a question", async () => {
    const response = await world.ask(Uint8Array.of(0, 1, 0x29, 0, 0, 1, 0, 0, 0, 0, 0, 0));
    expect(response).toEqual(Uint8Array.of(0, 1, 0xa9, 0x84, 0, 0, 0, 0, 0, 0, 0, 0));
  });

  test("follows an ExternalName within the cluster", async () => {
    const message = await ask(world, "inside.shop.svc.cluster.local");
    expect([formatRcode(message.rcode), ...message.answers.map(formatRecordData)]).toEqual([
      "NOERROR",
      "web.shop.svc.cluster.local.",
      "10.96.0.10",
    ]);
  });

  test("to an ExternalName whose target cannot be asked for is the alias and SERVFAIL", async () => {
    const message = await ask(world, "outside.shop.svc.cluster.local");
    expect([formatRcode(message.rcode), ...message.answers.map(formatRecordData)]).toEqual([
      "SERVFAIL",
      "www.example.com.",
    ]);
  });

  test("follows eight aliases at most, so that those that lead to each other end in SERVFAIL", async () => {
    const alias = (from: string, to: string) =>
      serviceChange(makeService(`a/${from}`, { type: "ExternalName", externalName: `${to}.a.svc.cluster.local` }));
    const chain = Array.from({ length: 9 }, (_, i) => alias(`x${i}`, i === 8 ? "end" : `x${i + 1}`));
    const own = makeHandler([
      ...chain,
      serviceChange(makeService("a/end", { clusterIps: [ip("10.96.3.3")] })),
      alias("y", "y"),
    ]);
    expect((await ask(own, "x1.a.svc.cluster.local")).answers.length).toBe(9);
    expect(formatRcode((await ask(own, "x0.a.svc.cluster.local")).rcode)).toBe("SERVFAIL");
    expect(formatRcode((await ask(own, "y.a.svc.cluster.local")).rcode)).toBe("SERVFAIL");
  });

  test("is counted by rcode and source", async () => {
    const own = makeHandler(specificationServices());
    await ask(own, "web.shop.svc.cluster.local");
    await ask(own, "web.shop.svc.cluster.local");
    await ask(own, "no.shop.svc.cluster.local");
    await ask(own, "www.example.com");
    const counts = own.metrics
      .render()
      .split("\n")
      .filter((line) => line.startsWith("selvedge_dns_requests_total"));
    expect(counts).toEqual([
      'selvedge_dns_requests_total{rcode="NOERROR",source="cluster"} 2',
      'selvedge_dns_requests_total{rcode="SERVFAIL",source="error"} 1',
      'selvedge_dns_requests_total{rcode="NXDOMAIN",source="cluster"} 1',
    ]);
  });
});

describe("an answer larger than the client takes", () => {
  const world = makeHandler(headless(500));

  test.each([
    ["512 bytes without EDNS", { edns: false }, 512, Math.floor((512 - 12 - 33) / 16)],
    ["what EDNS says", { udpBytes: 700 }, 700, Math.floor((700 - 12 - 33 - 11) / 16)],
    ["1,232 bytes whatever EDNS says", { udpBytes: 65_535 }, 1232, Math.floor((1232 - 12 - 33 - 11) / 16)],
  ])("is cut to %s, at a whole record, with TC", async (_, asking, most, records) => {
    const message = await ask(world, MANY, asking);
    expect([message.size <= most, message.answers.length, (message.flags & Flag.Truncated) !== 0]).toEqual([
      true,
      records,
      true,
    ]);
    expect(addresses(message).every((address) => address.startsWith("10.2."))).toBe(true);
  });

  test("is whole over TCP", async () => {
    const message = await ask(world, MANY, { transport: "tcp" });
    expect([message.answers.length, message.flags & Flag.Truncated]).toEqual([500, 0]);
  });

  test("shows every endpoint to some clients, though not all to one", async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 400; i++) for (const address of addresses(await ask(world, MANY))) seen.add(address);
    expect(seen.size).toBe(500);
  });

  test("gives up glue before answers, without TC", async () => {
    const few = makeHandler(headless(12));
    const message = await ask(few, `_http._tcp.${MANY}`, { type: RecordType.SRV, udpBytes: 900 });
    expect([message.answers.length, message.additionals.length, message.flags & Flag.Truncated]).toEqual([12, 0, 0]);
  });

  test("has at most 65,535 bytes over TCP", async () => {
    const message = await ask(makeHandler(headless(5000)), MANY, { transport: "tcp" });
    const records = Math.floor((65_535 - 12 - 33 - 17) / 16);
    expect([message.size <= 65_535, message.answers.length, message.flags & Flag.Truncated]).toEqual([
      true,
      records,
      0,
    ]);
  });
});

describe("the order of a headless service's addresses", () => {
  test("turns, also for a client that asks for A and AAAA in turn", async () => {
    const world = makeHandler(headless(2));
    const first: Record<string, number> = {};
    for (let i = 0; i < 400; i++) {
      const [address = ""] = addresses(await ask(world, MANY));
      await ask(world, MANY, { type: RecordType.AAAA });
      first[address] = (first[address] ?? 0) + 1;
    }
    expect(Object.values(first).every((count) => count > 140)).toBe(true);
    expect(Object.keys(first).length).toBe(2);
  });
});

describe("a forwarded answer", () => {
  const upstream: UpstreamTransport = {
    udp: (exchange) => {
      const query = decodeMessage(exchange.query);
      if (!query.ok) throw new Error(query.error.why);
      const name = query.value.questions[0]?.name ?? ("\0" as never);
      const answers = [addressRecord(name, 60, ip("192.0.2.1"))];
      return Promise.resolve(ok({ ...query.value, flags: Flag.Response | Flag.Authoritative, answers }));
    },
    tcp: () => Promise.reject(new Error("no TCP here")),
  };
  const server = { address: ip("192.0.2.53"), port: 53 };

  test("is the cache's from the second time on, with the TTL that is left, in the client's letter case", async () => {
    const world = makeHandler([], [server], upstream);
    expect((await ask(world, "www.Example.com")).answers.map((record) => record.ttl)).toEqual([60]);
    await world.clock.advance(25_000 as never);
    const again = await ask(world, "WWW.example.com");
    expect(again.answers.map((record) => [formatName(record.name), record.ttl])).toEqual([["WWW.example.com", 35]]);
    expect([
      again.flags & Flag.Authoritative,
      world.metrics.render().includes('{rcode="NOERROR",source="cache"} 1'),
    ]).toEqual([0, true]);
  });

  test("that 1,024 others wait for does not hold up what needs no upstream, ExternalNames included", async () => {
    const nobody: UpstreamTransport = { udp: () => new Promise(() => {}), tcp: () => new Promise(() => {}) };
    const world = makeHandler(specificationServices(), [server], nobody);
    for (let i = 0; i < 1024; i++) void ask(world, "www.example.com");
    const names = ["www.example.com", "inside.shop.svc.cluster.local", "web.shop.svc.cluster.local"];
    const rcodes = await Promise.all(names.map(async (name) => formatRcode((await ask(world, name)).rcode)));
    expect(rcodes).toEqual(["SERVFAIL", "NOERROR", "NOERROR"]);
  });

  test("that is stale has a TTL of 30 and says so (RFC 8767, RFC 8914)", async () => {
    const world = makeHandler([], [server], upstream);
    await ask(world, "www.example.com");
    await world.clock.advance(61_000 as never);
    world.forwarder.pool.replace([]);
    const stale = await ask(world, "www.example.com");
    expect([stale.answers.map((record) => record.ttl), extendedErrors(stale.edns?.options ?? [])]).toEqual([[30], [3]]);
    expect((await ask(world, "www.example.com", { edns: false })).edns).toBeUndefined();
  });

  test("goes to its own question, whatever was asked while it was on its way", async () => {
    const release = Promise.withResolvers<void>();
    const slow: UpstreamTransport = {
      ...upstream,
      udp: (exchange) => release.promise.then(() => upstream.udp(exchange)),
    };
    const world = makeHandler(specificationServices(), [server], slow);
    const waiting = ask(world, "www.example.com");
    expect((await ask(world, "web.shop.svc.cluster.local", { edns: false })).answers.length).toBe(1);
    release.resolve();
    const { questions, answers, edns } = await waiting;
    expect([formatName(questions[0]?.name ?? ("" as never)), answers.map(formatRecordData), edns?.udpBytes]).toEqual([
      "www.example.com",
      ["192.0.2.1"],
      1232,
    ]);
  });

  describe("with several addresses", () => {
    const many = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    const [www, cdn, other] = [dnsName("www.example.com"), dnsName("cdn.example.net"), dnsName("a.example.com")];
    const alias = nameRecord(www, RecordType.CNAME, 60, cdn);
    const at = (owner: DnsName) => many.map((address) => addressRecord(owner, 60, ip(address)));
    const answering = (answers: readonly ResourceRecord[], rest: Partial<Message> = {}): UpstreamTransport => ({
      ...upstream,
      udp: (exchange) => {
        const query = decodeMessage(exchange.query);
        if (!query.ok) throw new Error(query.error.why);
        return Promise.resolve(ok({ ...query.value, flags: Flag.Response, answers, ...rest }));
      },
    });
    /** The orders in which many clients get the answer's data. */
    async function orders(transport: UpstreamTransport, name = "www.example.com"): Promise<readonly string[]> {
      const world = makeHandler(specificationServices(), [server], transport);
      const seen = new Set<string>();
      for (let i = 0; i < 100; i++) seen.add((await ask(world, name)).answers.map(formatRecordData).join(" "));
      return [...seen].sort();
    }
    const turned = ["192.0.2.1 192.0.2.2 192.0.2.3", "192.0.2.2 192.0.2.3 192.0.2.1", "192.0.2.3 192.0.2.1 192.0.2.2"];

    test("begins with another one for each client, behind its aliases", async () => {
      expect(await orders(answering(at(www)))).toEqual(turned);
      const behind = turned.map((order) => `cdn.example.net. ${order}`);
      expect(await orders(answering([alias, ...at(cdn)]))).toEqual(behind);
      expect(await orders(answering([alias, ...at(cdn)]), "outside.shop.svc.cluster.local")).toEqual(
        behind.map((order) => `www.example.com. ${order}`),
      );
    });

    test("has one order where they are not the end of it, or not all of one owner that is known before", async () => {
      const soa = [nameRecord(www, RecordType.NS, 60, cdn)];
      expect(await orders(answering(at(www), { authorities: soa }))).toEqual([turned[0] ?? ""]);
      expect(await orders(answering(at(other)))).toEqual([turned[0] ?? ""]);
      expect(await orders(answering([...at(cdn), alias]))).toEqual([`${turned[0]} cdn.example.net.`]);
    });

    test("is whole, whichever comes first and however much the client takes", async () => {
      const lots = Array.from({ length: 100 }, (_, i) => addressRecord(cdn, 60, ip(`192.0.2.${i}`)));
      const world = makeHandler([], [server], answering([alias, ...lots]));
      const seen = new Set<string>();
      for (let i = 0; i < 400; i++) {
        const message = await ask(world, "www.example.com", { udpBytes: 512 });
        const [first, ...addresses] = message.answers;
        expect([first?.type, addresses.length, addresses.every(({ name }) => name === cdn)]).toEqual([5, 27, true]);
        for (const address of addresses) seen.add(formatRecordData(address));
      }
      expect(seen.size).toBe(100);
    });
  });

  test("completes an ExternalName", async () => {
    const world = makeHandler(specificationServices(), [server], upstream);
    const message = await ask(world, "outside.shop.svc.cluster.local");
    expect(message.answers.map(formatRecordData)).toEqual(["www.example.com.", "192.0.2.1"]);
    expect(message.flags & Flag.Authoritative).toBe(Flag.Authoritative);
  });
});
