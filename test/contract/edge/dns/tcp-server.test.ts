import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { ClientFilter } from "../../../../edge/dns/client-filter.ts";
import { QueryCounts } from "../../../../edge/dns/query-counts.ts";
import { LATER, QueryHandler } from "../../../../edge/dns/query-handler.ts";
import {
  IDLE_TIMEOUT,
  MAX_CONNECTIONS_PER_CLIENT,
  MAX_QUERY_BYTES,
  TcpServer,
} from "../../../../edge/dns/tcp-server.ts";
import { milliseconds } from "../../../../src/base/duration.ts";
import { Metrics } from "../../../../src/base/metrics.ts";
import { decodeMessage, encodeQuery } from "../../../../src/wire/dns-message.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { type DnsServer, startDns } from "../../../support/dns-server.ts";
import { FakeUpstream, silent } from "../../../support/fake-upstream.ts";
import { inNamespace } from "../../../support/in-namespace.ts";
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
import { SteppedClock } from "../../../support/stepped-clock.ts";

function frame(text: string, id = 1): Uint8Array {
  const query = encodeQuery(
    id,
    { name: dnsName(text), type: 1, class: 1 },
    { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 },
  );
  return Uint8Array.of(query.length >> 8, query.length & 0xff, ...query);
}

class Client {
  received = new Uint8Array(0);
  closed = false;
  socket: Bun.Socket | undefined;

  static async connect(port: number): Promise<Client> {
    const client = new Client();
    client.socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_socket, data) => {
          client.received = Uint8Array.of(...client.received, ...data);
        },
        close: () => {
          client.closed = true;
        },
        error: () => {},
      },
    });
    return client;
  }

  send(bytes: Uint8Array): void {
    this.socket?.write(bytes);
    this.socket?.flush();
  }

  /** The ids of the whole responses so far. */
  ids(): number[] {
    const ids: number[] = [];
    for (let at = 0; at + 2 <= this.received.length; ) {
      const end = at + 2 + (((this.received[at] ?? 0) << 8) | (this.received[at + 1] ?? 0));
      const message = decodeMessage(this.received.slice(at + 2, end));
      if (end > this.received.length || !message.ok) break;
      ids.push(message.value.id);
      at = end;
    }
    return ids;
  }
}

inNamespace(import.meta.path, () => {
  let clock: SteppedClock;
  let server: DnsServer;
  let upstream: FakeUpstream;
  const clients: Client[] = [];
  const connect = async () => {
    const client = await Client.connect(server.port);
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    upstream = await FakeUpstream.start(silent);
  });
  afterAll(() => upstream.close());
  beforeEach(async () => {
    clock = new SteppedClock();
    const endpoints = Array.from({ length: 4000 }, (_, i) => makeEndpoint(`10.9.${i >> 8}.${i & 255}`));
    const many = [
      serviceChange(makeService("data/many", { headless: true })),
      sliceChange(makeSlice("data/many", endpoints)),
    ];
    server = await startDns([...specificationServices(), ...many], { upstreams: [upstream.server] }, clock);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket?.terminate();
    await server.close();
  });

  test("a server that ends answers what was asked before, and takes no further connections", async () => {
    const [asked, upstreamAnswered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const handler: QueryHandler = Object.assign(Object.create(QueryHandler.prototype), {
      handle: () => LATER,
      finish: async (_query: Uint8Array, _transport: string, send: (response: Uint8Array) => void) => {
        asked.resolve();
        await upstreamAnswered.promise;
        send(Uint8Array.of(1, 2, 3));
      },
    });
    const counts = new QueryCounts(new Metrics("test"));
    const ending = TcpServer.open(ip("127.0.0.1"), 0, {
      handler,
      counts,
      clients: new ClientFilter(() => true),
      clock,
      descriptors: { short: false },
    });
    const client = await Client.connect(ending.port);
    clients.push(client);
    client.send(frame("www.example.com"));
    await asked.promise;
    const { port } = ending;
    const drained = ending.drain();
    await expect(Client.connect(port)).rejects.toThrow();
    expect(client.received).toHaveLength(0);
    upstreamAnswered.resolve();
    await drained;
    ending.close();
    await waitFor("the answer and the end", () => client.closed);
    expect([...client.received]).toEqual([0, 3, 1, 2, 3]);
  });

  describe("a TCP connection", () => {
    test("takes queries one after another without waiting (RFC 7766)", async () => {
      const client = await connect();
      client.send(
        Uint8Array.of(
          ...frame("web.shop.svc.cluster.local", 1),
          ...frame("no.shop.svc.cluster.local", 2),
          ...frame("v4.shop.svc.cluster.local", 3),
        ),
      );
      await waitFor("three answers", () => client.ids().length === 3);
      expect(client.ids()).toEqual([1, 2, 3]);
    });

    test("does not let a slow question hold up those behind it", async () => {
      const client = await connect();
      client.send(Uint8Array.of(...frame("www.example.com", 1), ...frame("v4.shop.svc.cluster.local", 2)));
      await waitFor("the second answer", () => client.ids().length === 1);
      expect(client.ids()).toEqual([2]);
      await waitFor("the first answer", async () => {
        await clock.advance(milliseconds(500));
        return client.ids().length === 2;
      });
      expect([client.ids(), client.closed]).toEqual([[2, 1], false]);
    });

    test("takes a query byte by byte", async () => {
      const client = await connect();
      for (const byte of frame("web.shop.svc.cluster.local", 9)) client.send(Uint8Array.of(byte));
      await waitFor("the answer", () => client.ids().length === 1);
      expect(client.ids()).toEqual([9]);
    });

    test("that sends single bytes is ended after ten seconds all the same", async () => {
      const client = await connect();
      client.send(frame("web.shop.svc.cluster.local"));
      await waitFor("the answer", () => client.ids().length === 1);
      const slow = frame("web.shop.svc.cluster.local");
      for (let i = 0; i < 9; i++) {
        client.send(slow.subarray(i, i + 1));
        await clock.advance(milliseconds(1000));
      }
      expect(client.closed).toBe(false);
      await clock.advance(milliseconds(IDLE_TIMEOUT - 9000));
      await waitFor("the end", () => client.closed);
    });

    test("stays open while whole queries come", async () => {
      const client = await connect();
      for (let i = 1; i <= 4; i++) {
        client.send(frame("web.shop.svc.cluster.local", i));
        await waitFor("the answer", () => client.ids().length === i);
        await clock.advance(milliseconds(8000));
      }
      expect(client.closed).toBe(false);
    });

    test.each([
      ["announces a query that is too large", Uint8Array.of((MAX_QUERY_BYTES + 1) >> 8, (MAX_QUERY_BYTES + 1) & 0xff)],
      ["announces an empty query", Uint8Array.of(0, 0)],
      ["sends a response", frame("web.shop.svc.cluster.local").with(4, 0x81)],
    ])("that %s is ended", async (_, bytes) => {
      const client = await connect();
      client.send(bytes);
      await waitFor("the end", () => client.closed);
      expect(client.received.length).toBe(0);
    });

    test("that asks for much and reads nothing is ended", async () => {
      const client = await connect();
      client.socket?.pause();
      // 64 KiB each: the sockets' own buffers take some megabytes first.
      const query = frame("many.data.svc.cluster.local");
      await waitFor("the end", () => {
        for (let i = 0; i < 20; i++) client.send(query);
        return server.dns.status().listeners[0]?.connections === 0;
      });
    });

    test("beyond 32 of one client is ended at once, and the others go on", async () => {
      const open = await Promise.all(Array.from({ length: MAX_CONNECTIONS_PER_CLIENT }, connect));
      await waitFor("all of them", () => server.dns.status().listeners[0]?.connections === MAX_CONNECTIONS_PER_CLIENT);
      const more = await connect();
      await waitFor("the end", () => more.closed);
      open[0]?.send(frame("web.shop.svc.cluster.local", 5));
      await waitFor("the answer", () => open[0]?.ids().length === 1);
      expect(server.metrics.render()).toContain('selvedge_dns_dropped_total{reason="connections"} 1');
      open[1]?.socket?.end();
      await waitFor("room", () => server.dns.status().listeners[0]?.connections === MAX_CONNECTIONS_PER_CLIENT - 1);
      const again = await connect();
      again.send(frame("web.shop.svc.cluster.local", 6));
      await waitFor("the answer", () => again.ids().length === 1);
    });
  });
});
