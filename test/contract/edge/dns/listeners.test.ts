import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../../../../src/base/duration.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { dig } from "../../../support/dig.ts";
import { startDns } from "../../../support/dns-server.ts";
import { FakeUpstream, says } from "../../../support/fake-upstream.ts";
import { inNamespace, run } from "../../../support/in-namespace.ts";
import { ip, specificationServices } from "../../../support/network-objects.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const ADDRESS = "169.254.25.10";
const NAME = "web.shop.svc.cluster.local A";

function bound(server: Awaited<ReturnType<typeof startDns>>): readonly boolean[] {
  return server.dns.status().listeners.map((listener) => listener.bound);
}

inNamespace(import.meta.path, () => {
  describe("an address", () => {
    test("that appears later is bound then, and answers again when it went and came back", async () => {
      const server = await startDns(specificationServices(), {
        bindAddresses: [ip("127.0.0.1"), ip(ADDRESS)],
        port: 53,
        allowed: () => true,
      });
      expect(bound(server)).toEqual([true, false]);
      expect(server.health.list()).toMatchObject([
        {
          code: "DNS_BIND_FAILED",
          severity: "degraded",
          message: `Cannot listen on port 53 as binding failed: current value is ${ADDRESS} (EADDRNOTAVAIL)`,
        },
        { code: "DNS_UPSTREAMS_DOWN" },
      ]);
      run("ip", "addr", "add", `${ADDRESS}/32`, "dev", "lo");
      await waitFor("the second address", () => bound(server)[1] === true);
      expect(server.health.list().map((condition) => condition.code)).toEqual(["DNS_UPSTREAMS_DOWN"]);
      expect((await dig(53, NAME, ADDRESS)).status).toBe("NOERROR");
      run("ip", "addr", "del", `${ADDRESS}/32`, "dev", "lo");
      expect((await dig(53, `${NAME} +time=1`, ADDRESS)).status).toBe("none");
      run("ip", "addr", "add", `${ADDRESS}/32`, "dev", "lo");
      expect((await dig(53, NAME, ADDRESS)).status).toBe("NOERROR");
      expect((await dig(53, `${NAME} +tcp`, ADDRESS)).status).toBe("NOERROR");
      await server.close();
    });

    test("whose port is taken says by whom, and is bound once it is free", async () => {
      const holder = Bun.spawn(
        [
          "python3",
          "-c",
          "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 53)); print('bound', flush=True); input()",
        ],
        { stdin: "pipe", stdout: "pipe" },
      );
      await holder.stdout.getReader().read();
      const server = await startDns(specificationServices(), { port: 53 });
      const [condition] = server.health.list();
      expect(condition).toMatchObject({ code: "DNS_BIND_FAILED", severity: "failed" });
      expect(condition?.hint).toMatch(/^The port is held by python3[\d.]*: stop it/);
      await holder.stdin.end();
      await holder.exited;
      await waitFor("the port", () => bound(server)[0] === true);
      expect((await dig(53, NAME)).status).toBe("NOERROR");
      await server.close();
    });

    test("whose TCP port alone is taken is not bound by half", async () => {
      const holder = Bun.listen({ hostname: "127.0.0.1", port: 53, socket: { data: () => {} } });
      const server = await startDns(specificationServices(), { port: 53 });
      expect(bound(server)).toEqual([false]);
      expect((await dig(53, `${NAME} +time=1`)).status).toBe("none");
      holder.stop(true);
      await waitFor("the port", () => bound(server)[0] === true);
      await server.close();
    });
  });

  test("closing frees the port, and nothing is left to run", async () => {
    for (let i = 0; i < 3; i++) {
      const server = await startDns(specificationServices(), { port: 53 });
      expect([bound(server), (await dig(53, NAME)).status]).toEqual([[true], "NOERROR"]);
      await server.close();
    }
  });

  test("upstreams follow resolv.conf as it changes, without our own addresses", async () => {
    const folder = mkdtempSync(join(tmpdir(), "selvedge-dns-"));
    const clock = new SteppedClock();
    const resolvConf = join(folder, "resolv.conf");
    writeFileSync(
      resolvConf,
      "search a.b\nnameserver 127.0.0.1\nnameserver 127.0.0.53 # stub\nnameserver fe80::1%lo\noptions ndots:5\n",
    );
    const server = await startDns([], { port: 53, upstreams: undefined, resolvConf }, clock);
    const servers = () => server.dns.status().upstreams.map((upstream) => upstream.server);
    expect(servers()).toEqual(["127.0.0.53:53", "[fe80::1%lo]:53"]);
    writeFileSync(resolvConf, "nameserver 127.0.0.54\n");
    await clock.advance(seconds(5));
    await waitFor("the new server", () => servers().join() === "127.0.0.54:53");
    rmSync(folder, { recursive: true });
    await clock.advance(seconds(5));
    await waitFor("no server", () => servers().length === 0);
    await server.close();
  });

  test(
    "an upstream that is away and comes back is asked again",
    async () => {
      const upstream = await FakeUpstream.start(says("192.0.2.1"));
      const server = await startDns([], { upstreams: [upstream.server] });
      upstream.close();
      expect((await dig(server.port, "a.example.com A")).extendedError).toBe("23 (Network Error)");
      const state = () => server.dns.status().upstreams[0]?.state;
      await waitFor("its absence", () => state() === "down");
      expect((await dig(server.port, "b.example.com A")).extendedError).toBe("23 (Network Error)");
      const back = await Bun.udpSocket({
        hostname: "127.0.0.1",
        port: upstream.server.port,
        socket: {
          data: (socket, data, port, address) => {
            for (const reply of upstream.reply(data, "udp")) socket.send(reply, port, address);
          },
        },
      });
      await waitFor("its return", () => state() === "up", { timeout: seconds(15) });
      expect((await dig(server.port, "c.example.com A")).answers).toEqual(["c.example.com. 60 IN A 192.0.2.1"]);
      back.close();
      await server.close();
    },
    { timeout: seconds(20) },
  );
});
