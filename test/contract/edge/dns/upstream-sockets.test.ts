import { describe, expect, test } from "bun:test";
import { UpstreamSockets } from "../../../../edge/dns/upstream-sockets.ts";
import type { Exchange } from "../../../../edge/dns/upstream-transport.ts";
import { seconds } from "../../../../src/base/duration.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { inNamespace, run } from "../../../support/in-namespace.ts";
import { ip } from "../../../support/network-objects.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

/** Packets to it vanish, as behind a firewall. */
const BLACK_HOLE = "127.0.0.9";

/** As the kernel counts them, connecting ones included. */
function sockets(): number {
  return run("ss", "-Htuna", "dst", BLACK_HOLE).split("\n").length - 1;
}

inNamespace(import.meta.path, () => {
  const clock = new SteppedClock();
  const transport = new UpstreamSockets(clock);
  const exchange = (address: string, signal = new AbortController().signal): Exchange => {
    const server = { address: ip(address), port: 53 };
    return { server, query: new Uint8Array(30), accept: () => undefined, timeout: seconds(3), signal };
  };

  describe.each(["udp", "tcp"] as const)("over %s, an exchange", (protocol) => {
    test("with a server that says nothing ends with its time-out or its signal, and leaves no socket", async () => {
      run("nft", "add table inet t; add chain inet t in { type filter hook input priority 0; }");
      run("nft", "add", "rule", "inet", "t", "in", "ip", "daddr", BLACK_HOLE, "drop");
      const cancel = new AbortController();
      const waiting = [exchange(BLACK_HOLE), exchange(BLACK_HOLE, cancel.signal)].map((one) =>
        transport[protocol](one),
      );
      await waitFor("two sockets", () => sockets() === 2);
      cancel.abort();
      expect(await waiting[1]).toMatchObject({ error: { kind: "cancelled" } });
      await clock.advance(seconds(3));
      expect(await waiting[0]).toMatchObject({ error: { kind: "timeout" } });
      await waitFor("no socket", () => sockets() === 0);
      run("nft", "flush", "ruleset");
    });

    test("with a link-local server goes out by its link", async () => {
      run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0");
      run("ip", "netns", "add", "router");
      run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", "router");
      run("ip", "link", "set", "uplink", "up");
      run("ip", "-n", "router", "link", "set", "eth0", "up");
      run("ip", "-n", "router", "address", "add", "fe80::1/64", "dev", "eth0", "nodad");
      try {
        const failure = { error: { kind: "network", code: "ECONNREFUSED" } };
        await waitFor("the router's word that nobody listens", async () => {
          const server = { address: ip("fe80::1"), port: 53, zone: "uplink" };
          const outcome = await transport[protocol]({ ...exchange("fe80::1"), server });
          return Bun.deepMatch(failure, outcome);
        });
      } finally {
        run("ip", "link", "delete", "uplink");
        run("ip", "netns", "delete", "router");
      }
    });

    test("without a route fails at once", async () => {
      expect(await transport[protocol](exchange("192.0.2.1"))).toMatchObject({ error: { kind: "network" } });
      expect(clock.pending).toBe(0);
    });
  });
});
