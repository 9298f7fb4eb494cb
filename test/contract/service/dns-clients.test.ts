import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { removeRuleset } from "../../../edge/service/open-nftables.ts";
import { DNS_CLIENT_RATE } from "../../../edge/service/ruleset-dns.ts";
import { enlargeReceiveBuffer } from "../../../src/linux/receive-buffer.ts";
import { observeUdpDescriptors } from "../../../src/linux/udp-descriptors.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip } from "../../support/network-objects.ts";
import { ask, buildWorld, DNS, endpoints, listRuleset, PODS, service, tally, World } from "./world.ts";

const FLOOD = `${import.meta.dir}/flood.ts`;
const PACKETS = 4000;
/** As the server's own: see udp-server.ts. */
const RECEIVE_BUFFER = 1024 * 1024;
const FAMILIES = [
  ["IPv4", DNS.four, "ip", PODS.pod1.four],
  ["IPv6", DNS.six, "ip6", PODS.pod1.six],
] as const;
const CHAINS = [
  {
    name: "dns-query",
    rules: `
		update @dns-rates { ip saddr timeout 1s limit rate over 4000/second burst 1000 packets } counter packets 0 bytes 0 drop
		update @dns-clients { ip saddr timeout 1m } notrack
`,
  },
  {
    name: "dns-in",
    rules: `
		type filter hook prerouting priority raw; policy accept;
		udp dport 53 iif != "lo" ip daddr @link-addresses ip daddr != @cluster-ips goto dns-query
		tcp dport 53 iif != "lo" ip daddr @link-addresses ip daddr != @cluster-ips goto dns-query
`,
  },
  {
    name: "dns-out",
    rules: `
		type filter hook output priority raw; policy accept;
		udp sport 53 oif != "lo" ip saddr @link-addresses ip daddr @dns-clients notrack
		tcp sport 53 oif != "lo" ip saddr @link-addresses ip daddr @dns-clients notrack
`,
  },
];

inNamespace(import.meta.path, () => {
  beforeAll(async () => {
    await buildWorld();
    await Promise.all([DNS.four, DNS.six].map(answer));
    // Rules about connections make the kernel track those that nobody translates, too.
    run("sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=600");
  });
  afterEach(() => {
    removeRuleset(false);
    run("nft", "flush", "ruleset");
    run("conntrack", "-F");
  });

  const web = [service("web", { clusterIps: [ip("10.96.0.1")] }), endpoints("web", 4, [PODS.pod1.four])];

  describe.each(FAMILIES)("over %s, a client", (_, address, family, pod) => {
    const dropped = () =>
      Number(/counter packets (\d+)/.exec(run("nft", "list", "chain", family, "selvedge", "dns-query"))?.[1]);

    test("that floods has its rate and what it may send at once, and what is above is dropped and counted", async () => {
      await using world = new World();
      await world.apply(...web);
      const { sent, seconds } = await flood("pod1", address);
      expect(sent).toBe(PACKETS);
      const { packetsPerSecond, burst } = DNS_CLIENT_RATE;
      const passed = sent - dropped();
      expect(passed).toBeGreaterThanOrEqual(burst);
      expect(passed).toBeLessThanOrEqual(burst + Math.ceil(seconds * packetsPerSecond));
      expect(run("nft", "list", "set", family, "selvedge", "dns-clients")).toContain(pod);
      expect(world.metrics.render()).toContain(`selvedge_dns_client_dropped_packets_total ${dropped()}\n`);
    });

    test("is answered while another one floods, and none of the two takes room in the table of connections", async () => {
      await using world = new World();
      await world.apply(...web);
      const flooding = flood("pod1", address, 20);
      const asked = { from: "pod2", to: address, port: 53, times: 50 } as const;
      expect(tally(await ask({ ...asked, protocol: "udp" }))).toEqual({ dns: 50 });
      expect(tally(await ask({ ...asked, protocol: "tcp" }))).toEqual({ dns: 50 });
      await flooding;
      expect(dropped()).toBeGreaterThan(0);
      expect(tracked(address)).toBe("");
    });

    test("that is a program of the node is neither limited nor known", async () => {
      await using world = new World();
      await world.apply(...web);
      await flood("node", address);
      expect(dropped()).toBe(0);
      expect(tally(await ask({ from: "node", protocol: "udp", to: address, port: 53 }))).toEqual({ dns: 1 });
      expect(run("nft", "list", "set", family, "selvedge", "dns-clients")).not.toContain("elements");
    });

    test("whose question another program led here gets its answer from where it asked", async () => {
      await using world = new World();
      await world.apply(...web);
      const elsewhere = family === "ip" ? "10.96.0.53" : "fd10::53";
      const chain = "type nat hook prerouting priority dstnat - 5;";
      const to = family === "ip" ? address : `[${address}]`;
      run(
        "nft",
        `table ${family} other { chain c { ${chain} ${family} daddr ${elsewhere} udp dport 53 dnat to ${to}:53; }; }`,
      );
      const question = { from: "pod2", protocol: "udp", port: 53 } as const;
      expect(tally(await ask({ ...question, to: elsewhere }))).toEqual({ dns: 1 });
      expect(tracked(elsewhere)).not.toBe("");
    });
  });

  test("a service that has the address is what its clients get", async () => {
    await using world = new World();
    const ports = [{ name: "http", protocol: "UDP" as const, port: 53, nodePort: undefined }];
    await world.apply(
      service("dns", { clusterIps: [ip(DNS.four)], ports }),
      endpoints("dns", 4, [PODS.pod1.four], "UDP"),
    );
    expect(tally(await ask({ from: "client", protocol: "udp", to: DNS.four, port: 53 }))).toEqual({ pod1: 1 });
  });

  test("a table of other rules, as another version leaves it, is replaced without a connection lost", async () => {
    {
      await using world = new World({ dnsPort: 5353 });
      await world.apply(...web);
    }
    expect(listRuleset()).toContain("udp dport 5353");
    const asked = ask({ from: "client", to: "10.96.0.1", port: 80, times: 400 });
    await using world = new World();
    await world.apply(...web);
    expect(tally(await asked)).toEqual({ pod1: 400 });
    expect(listRuleset()).not.toContain("dport 5353");
  });

  test("nft lists the rules as they are meant", async () => {
    await using world = new World();
    await world.apply(...web);
    for (const chain of CHAINS)
      expect(run("nft", "list", "chain", "ip", "selvedge", chain.name)).toContain(chain.rules);
  });
});

/** A server in the place of DNS, in this process. */
async function answer(hostname: string): Promise<void> {
  Bun.listen({ hostname, port: 53, socket: { open: (socket) => void socket.end("dns"), data: () => {} } });
  await Bun.udpSocket({
    hostname,
    port: 53,
    // Only to those that wait for it.
    socket: {
      data: (socket, bytes, port, from) => void (bytes.length === 3 && socket.send("dns", port, from)),
      error: () => {},
    },
  });
  for (const fd of observeUdpDescriptors(ip(hostname), 53)) enlargeReceiveBuffer(fd, RECEIVE_BUFFER);
}

async function flood(
  from: string,
  to: string,
  times = 1,
): Promise<{ readonly sent: number; readonly seconds: number }> {
  const program = [process.execPath, FLOOD, to, String(PACKETS), String(times)];
  const flooding = Bun.spawn(from === "node" ? program : ["ip", "netns", "exec", from, ...program], { stdout: "pipe" });
  return JSON.parse(await flooding.stdout.text());
}

/** What `conntrack` has of connections to an address, and of those that seem to begin there. */
function tracked(address: string): string {
  const family = address.includes(":") ? "ipv6" : "ipv4";
  return ["udp", "tcp"]
    .flatMap((protocol) =>
      ["-d", "-s"].map((end) => run("conntrack", "-L", "-f", family, "-p", protocol, end, address)),
    )
    .join("");
}
