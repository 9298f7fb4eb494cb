import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ClientFilter } from "../../../../edge/dns/client-filter.ts";
import { QueryCounts } from "../../../../edge/dns/query-counts.ts";
import { UdpBacklog } from "../../../../edge/dns/udp-backlog.ts";
import { type Ip, ipFamily } from "../../../../src/base/ip.ts";
import { Metrics } from "../../../../src/base/metrics.ts";
import { HeldUdpSocket } from "../../../../src/linux/held-socket.ts";
import { Rcode, RecordType } from "../../../../src/wire/dns.ts";
import { decodeMessage, encodeQuery, type Message } from "../../../../src/wire/dns-message.ts";
import { formatRecordData } from "../../../../src/wire/dns-record.ts";
import { benchAddress, benchName, benchServices } from "../../../bench/dns-services.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { makeHandler } from "../../../support/dns-handler.ts";
import { startDns } from "../../../support/dns-server.ts";
import { FakeUpstream, says } from "../../../support/fake-upstream.ts";
import { inNamespace } from "../../../support/in-namespace.ts";
import { dnsName, ip } from "../../../support/network-objects.ts";

const PORT = 5300;
const SERVICES = 300;
const QUESTIONS = 6000;
const ASKING = join(import.meta.dir, "asking-program.ts");

function query(id: number, name: string): Uint8Array {
  const question = { name: dnsName(name), type: RecordType.A, class: 1 };
  return encodeQuery(id, question, { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 });
}

/** A client of a port of its own, and what it has been answered, by id. */
async function client(hostname: string) {
  const answers = new Map<number, Message>();
  const socket = await Bun.udpSocket({
    hostname: ipFamily(ip(hostname)) === 4 ? "0.0.0.0" : "::",
    connect: { hostname, port: PORT },
    socket: {
      data: (_, data) => {
        const message = decodeMessage(data);
        if (message.ok) answers.set(message.value.id, message.value);
      },
      error: () => {},
    },
  });
  return { socket, answers };
}

function addressesIn(message: Message | undefined): readonly string[] {
  return (message?.answers ?? []).map(formatRecordData);
}

function openBacklog(allowed: (client: Ip) => boolean) {
  const world = makeHandler(benchServices(SERVICES), [{ address: ip("192.0.2.53"), port: 53 }]);
  const metrics = new Metrics("test");
  const later: { readonly packet: Uint8Array; readonly port: number; readonly client: Ip }[] = [];
  const deps = { handler: world.handler, clients: new ClientFilter(allowed), counts: new QueryCounts(metrics) };
  const backlog = new UdpBacklog({ ...deps, clock: world.clock }, (packet, port, from) => {
    later.push({ packet: packet.slice(), port, client: from });
  });
  return { backlog, handled: world.metrics, metrics, later };
}

inNamespace(import.meta.path, () => {
  describe.each(["127.0.0.1", "::1"])("a backlog of a socket of %s", (address) => {
    test("is answered to who asked, but for what is broken, or has to be asked for", async () => {
      const server = HeldUdpSocket.open(ip(address), PORT);
      const { backlog, handled, metrics, later } = openBacklog(() => true);
      expect(backlog.take(server.fd)).toBe(0);
      const [one, other] = [await client(address), await client(address)];
      const response = query(3, benchName(0));
      response[2] = 0x80;
      for (const packet of [query(1, benchName(1)), response, query(2, "www.example.com"), Uint8Array.of(1)]) {
        one.socket.send(packet);
      }
      other.socket.send(query(1, benchName(299)));
      other.socket.send(query(4, "none.ns-0.svc.cluster.local"));
      expect(backlog.take(server.fd)).toBe(6);
      await waitFor("the answers", () => one.answers.size === 1 && other.answers.size === 2);
      expect(addressesIn(one.answers.get(1))).toEqual([benchAddress(1)]);
      expect(addressesIn(other.answers.get(1))).toEqual([benchAddress(299)]);
      expect(other.answers.get(4)?.rcode).toBe(Rcode.NxDomain);
      const { port } = one.socket;
      expect(later).toEqual([{ packet: query(2, "www.example.com"), port, client: ip(address) }]);
      expect(handled.render()).toContain('dns_dropped_total{reason="response"} 2');
      expect(metrics.render()).toContain("dns_request_seconds_count 3");
      server.close();
      for (const { socket } of [one, other]) socket.close();
    });

    test("of who may not ask is thrown away", async () => {
      const server = HeldUdpSocket.open(ip(address), PORT);
      const { backlog, metrics } = openBacklog(() => false);
      const stranger = await client(address);
      stranger.socket.send(query(1, benchName(1)));
      expect(backlog.take(server.fd)).toBe(1);
      expect(metrics.render()).toContain('dns_dropped_total{reason="foreign"} 1');
      expect(metrics.render()).not.toContain("dns_request_seconds_count 1");
      server.close();
      stranger.socket.close();
    });
  });

  test("a backlog that does not end leaves the rest for another turn", async () => {
    const server = HeldUdpSocket.open(ip("127.0.0.1"), PORT);
    const { backlog } = openBacklog(() => true);
    const { socket } = await client("127.0.0.1");
    for (let id = 0; id < 700; id++) socket.send(query(id, benchName(id % SERVICES)));
    expect([backlog.take(server.fd), backlog.take(server.fd), backlog.take(server.fd)]).toEqual([512, 188, 0]);
    server.close();
    socket.close();
  });

  test("a server that is busy answers every question, those that are forwarded too", async () => {
    const upstream = await FakeUpstream.start(says("198.51.100.7"));
    const server = await startDns(benchServices(SERVICES), { upstreams: [upstream.server] });
    const words = [server.port, SERVICES, QUESTIONS, "www.example.com", "198.51.100.7"].map(String);
    const asking = Bun.spawn([process.execPath, ASKING, ...words], { stdout: "pipe" });
    expect(Number(await asking.stdout.text())).toBe(QUESTIONS);
    await server.close();
    upstream.close();
  }, 30_000);
});
