import { describe, expect, test } from "bun:test";
import { SocketKeeper } from "../../../../edge/dns/held-sockets.ts";
import type { UpstreamAddress } from "../../../../edge/dns/upstream-transport.ts";
import { DescriptorStore } from "../../../../src/linux/descriptor-store.ts";
import { libc } from "../../../../src/linux/libc.ts";
import { SystemClock } from "../../../../src/linux/system-clock.ts";
import type { Message } from "../../../../src/wire/dns-message.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { dig } from "../../../support/dig.ts";
import { startDns } from "../../../support/dns-server.ts";
import { FakeUpstream, says } from "../../../support/fake-upstream.ts";
import { inNamespace, run } from "../../../support/in-namespace.ts";
import { ip, specificationServices } from "../../../support/network-objects.ts";

const NAME = "web.shop.svc.cluster.local";

/** What systemd is to the agent: it has what one run leaves, for the next. */
class Keeping {
  readonly kept = new Map<string, number>();

  start(addresses: readonly string[], upstreams: readonly UpstreamAddress[] = []) {
    const notify = {
      keepDescriptor: (name: string, fd: number) => void this.kept.set(name, fd),
      dropDescriptor: (name: string) => void this.kept.delete(name),
    };
    const keeper = new SocketKeeper(new DescriptorStore(notify, this.kept));
    const options = { port: 53, bindAddresses: addresses.map(ip), upstreams, allowed: () => true };
    return startDns(specificationServices(), options, new SystemClock(), keeper);
  }

  [Symbol.dispose](): void {
    for (const fd of this.kept.values()) libc().close(fd);
  }
}

const answer = async (words: string, address: string) =>
  (await dig(53, `${NAME} A +time=20 ${words}`, address)).answers[0]?.split(" ").at(-1);
/** Sockets of the port, a line each, those first in which something waits. */
const sockets = (kind: string) => run("ss", kind, "-nlH", "sport = :53").trim().split("\n");

inNamespace(import.meta.path, () => {
  describe("held sockets", () => {
    test.each(["127.0.0.1", "::1"])("keep what is asked on %s between two runs for the next one", async (address) => {
      using keeping = new Keeping();
      await (await keeping.start([address])).close();
      expect([sockets("-u").length, sockets("-t").length]).toEqual([1, 1]);
      const asked = [answer("+notcp", address), answer("+tcp", address)];
      await waitFor("both queries waiting", () =>
        [...sockets("-u"), ...sockets("-t")].every((line) => Number(line.split(/\s+/)[1]) > 0),
      );
      const second = await keeping.start([address]);
      expect(await Promise.all(asked)).toEqual(["10.96.0.10", "10.96.0.10"]);
      await second.close();
    });

    test("get what is asked once the server hands over, and the server answers what came before", async () => {
      using keeping = new Keeping();
      const first = await keeping.start(["127.0.0.1"]);
      const before = await Promise.all(Array.from({ length: 20 }, () => answer("", "127.0.0.1")));
      expect(new Set(before)).toEqual(new Set(["10.96.0.10"]));
      await first.dns.handOver();
      const asked = answer("", "127.0.0.1");
      await waitFor("the query waiting", () => sockets("-u").some((line) => Number(line.split(/\s+/)[1]) > 0));
      await first.close();
      const second = await keeping.start(["127.0.0.1"]);
      expect(await asked).toBe("10.96.0.10");
      await second.close();
    });

    test("answer what had waited in them, also when the upstream takes until the hand-over", async () => {
      using keeping = new Keeping();
      const isSlow = (query: Message) => query.questions[0]?.name.includes("slow") === true;
      const upstream = await FakeUpstream.start((query) => (isSlow(query) ? [] : says("192.0.2.1")(query, "udp")));
      await (await keeping.start(["127.0.0.1"])).close();
      const asked = dig(53, "slow.example. A +time=20");
      await waitFor("the query waiting", () => sockets("-u").some((line) => Number(line.split(/\s+/)[1]) > 0));
      const server = await keeping.start(["127.0.0.1"], [upstream.server]);
      await waitFor("the upstream being asked", () => upstream.asked.some(isSlow));
      const handedOver = server.dns.handOver();
      await new Promise((turned) => setImmediate(turned));
      upstream.answerLate(says("192.0.2.7"));
      await handedOver;
      expect((await asked).answers).toEqual(["slow.example. 60 IN A 192.0.2.7"]);
      await server.close();
      upstream.close();
    });

    test("get nothing of what is asked while the server runs", async () => {
      using keeping = new Keeping();
      for (let runs = 0; runs < 3; runs++) {
        const server = await keeping.start(["127.0.0.1"]);
        for (let i = 0; i < 20; i++) expect(await answer("", "127.0.0.1")).toBe("10.96.0.10");
        expect(await answer("+tcp", "127.0.0.1")).toBe("10.96.0.10");
        expect(sockets("-u").map((line) => line.split(/\s+/)[1])).toEqual(["0", "0"]);
        await server.close();
      }
    });

    test("leave the address to nobody else", async () => {
      using keeping = new Keeping();
      const server = await keeping.start(["127.0.0.1"]);
      const other = (type: string) =>
        `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_${type}); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 53)); s.listen() if "${type}" == "STREAM" else None`;
      for (const type of ["DGRAM", "STREAM"]) expect(() => run("python3", "-c", other(type))).toThrow(/in use/);
      await server.close();
    });

    test("are closed when the settings name their address no more", async () => {
      using keeping = new Keeping();
      await (await keeping.start(["127.0.0.1", "127.0.0.2"])).close();
      expect(keeping.kept.size).toBe(4);
      await (await keeping.start(["127.0.0.2"])).close();
      expect([...keeping.kept.keys()]).toEqual(["dns-udp-7f000002-53", "dns-tcp-7f000002-53"]);
      expect([...sockets("-u"), ...sockets("-t")].every((line) => line.includes("127.0.0.2:53"))).toBeTrue();
    });

    test("are none where the address is another program's, which is told as before", async () => {
      using keeping = new Keeping();
      const program = `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 53)); print("bound", flush=True); input()`;
      const holder = Bun.spawn(["python3", "-c", program], { stdin: "pipe", stdout: "pipe" });
      await holder.stdout.getReader().read();
      const server = await keeping.start(["127.0.0.1"]);
      expect(server.health.list()[0]).toMatchObject({
        code: "DNS_BIND_FAILED",
        message: "Cannot listen on port 53 as binding failed: current value is 127.0.0.1 (EADDRINUSE)",
      });
      holder.kill();
      await waitFor("the address", () => server.dns.status().listeners[0]?.bound);
      expect(await answer("", "127.0.0.1")).toBe("10.96.0.10");
      await server.close();
    });
  });
});
