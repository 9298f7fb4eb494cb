import { beforeAll, describe, expect, test } from "bun:test";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip } from "../../support/network-objects.ts";
import { ask, buildWorld, CLIENT, endpoints, gone, PODS, REMOTE, service, tally, World } from "./world.ts";

inNamespace(import.meta.path, () => {
  beforeAll(buildWorld);

  describe("a ClusterIP service", () => {
    test("spreads connections over all endpoints, each of them as likely", async () => {
      await using world = new World();
      await world.apply(
        service("web", { clusterIps: [ip("10.96.0.1")] }),
        endpoints("web", 4, [PODS.pod1.four, PODS.pod2.four, REMOTE.four]),
      );
      const counts = tally(await ask({ from: "client", to: "10.96.0.1", port: 80, times: 300 }));
      // 100 each; 5 sigma of a binomial with 300 trials and p = 1/3 is 40.8: by chance once in a million runs.
      for (const name of ["pod1", "pod2", "remote"]) expect(Math.abs((counts[name] ?? 0) - 100)).toBeLessThan(41);
    });

    test.each(["client", "pod1", "node"])("is reached over IPv4 and IPv6, TCP and UDP, from %s", async (from) => {
      await using world = new World();
      const ports = [
        { name: "http", protocol: "TCP" as const, port: 80, nodePort: undefined },
        { name: "http", protocol: "UDP" as const, port: 80, nodePort: undefined },
      ];
      await world.apply(
        service("web", { clusterIps: [ip("10.96.0.1"), ip("fd10::1")], ports }),
        ...(["TCP", "UDP"] as const).flatMap((protocol) => [
          endpoints("web", 4, [PODS.pod2.four], protocol),
          endpoints("web", 6, [PODS.pod2.six], protocol),
        ]),
      );
      for (const to of ["10.96.0.1", "fd10::1"]) {
        for (const protocol of ["tcp", "udp"] as const) {
          expect(tally(await ask({ from, protocol, to, port: 80 }))).toEqual({ pod2: 1 });
        }
      }
    });

    test("keeps the caller's address, on the wire to another node too", async () => {
      await using world = new World();
      await world.apply(service("web", { clusterIps: [ip("10.96.0.1")] }), endpoints("web", 4, [REMOTE.four]));
      expect(await ask({ from: "client", to: "10.96.0.1", port: 80 })).toEqual([`remote ${CLIENT.four}`]);
      expect(await ask({ from: "pod1", to: "10.96.0.1", port: 80 })).toEqual([`remote ${PODS.pod1.four}`]);
    });

    test("hides callers from outside the cluster once it knows what is inside", async () => {
      await using world = new World({ clusterCidrs: [{ address: ip("10.244.0.0"), length: 16 }] });
      await world.apply(service("web", { clusterIps: [ip("10.96.0.1")] }), endpoints("web", 4, [REMOTE.four]));
      expect(await ask({ from: "client", to: "10.96.0.1", port: 80 })).toEqual(["remote 10.244.2.1"]);
      expect(await ask({ from: "pod1", to: "10.96.0.1", port: 80 })).toEqual([`remote ${PODS.pod1.four}`]);
    });

    test("refuses at once without endpoints, on ports it does not have, and however often it is asked", async () => {
      await using world = new World();
      await world.apply(service("web", { clusterIps: [ip("10.96.0.1"), ip("fd10::1")] }));
      for (const from of ["client", "pod1", "node"]) {
        const before = segmentsSentAgain(from);
        for (const to of ["10.96.0.1", "fd10::1"]) {
          const answers = await ask({ from, to, port: 80, times: 40 });
          expect(new Set(answers)).toEqual(new Set(["ECONNREFUSED"]));
          expect(await ask({ from, to, port: 81 })).toEqual(["ECONNREFUSED"]);
        }
        expect([from, segmentsSentAgain(from)]).toEqual([from, before]);
      }
      expect(await ask({ from: "client", protocol: "udp", to: "10.96.0.1", port: 80 })).toEqual(["ECONNREFUSED"]);
      // On this node the datagram does not get as far as an ICMP error: sending it fails.
      expect(await ask({ from: "node", protocol: "udp", to: "10.96.0.1", port: 80 })).toEqual(["EPERM"]);
    });

    test("uses serving endpoints that terminate only while none is ready", async () => {
      await using world = new World();
      const leaving = { at: PODS.pod1.four, ready: false, serving: true, terminating: true };
      await world.apply(
        service("web", { clusterIps: [ip("10.96.0.1")] }),
        endpoints("web", 4, [leaving, PODS.pod2.four]),
      );
      expect(tally(await ask({ from: "client", to: "10.96.0.1", port: 80, times: 20 }))).toEqual({ pod2: 20 });
      await world.apply(endpoints("web", 4, [leaving, { at: PODS.pod2.four, ready: false, serving: false }]));
      expect(tally(await ask({ from: "client", to: "10.96.0.1", port: 80, times: 20 }))).toEqual({ pod1: 20 });
    });
  });

  describe("a pod that calls a service on its own bridge", () => {
    test("reaches itself, whose packets come from the node then", async () => {
      await using world = new World();
      await world.apply(
        service("web", { clusterIps: [ip("10.96.0.1"), ip("fd10::1")] }),
        endpoints("web", 4, [PODS.pod1.four]),
        endpoints("web", 6, [PODS.pod1.six]),
      );
      run("ip", "link", "set", "pod1", "type", "bridge_slave", "hairpin", "on");
      expect(await ask({ from: "pod1", to: "10.96.0.1", port: 80 })).toEqual(["pod1 10.244.1.1"]);
      expect(await ask({ from: "pod1", to: "fd10::1", port: 80 })).toEqual(["pod1 fd44:1::1"]);
    });

    test("reaches its neighbour though the bridge shows its own traffic to no filter", async () => {
      for (const family of ["iptables", "ip6tables"]) run("sysctl", "-qw", `net.bridge.bridge-nf-call-${family}=0`);
      await using world = new World();
      await world.apply(
        service("web", { clusterIps: [ip("10.96.0.1"), ip("fd10::1")] }),
        endpoints("web", 4, [PODS.pod2.four]),
        endpoints("web", 6, [PODS.pod2.six]),
      );
      expect(await ask({ from: "pod1", to: "10.96.0.1", port: 80 })).toEqual(["pod2 10.244.1.1"]);
      expect(await ask({ from: "pod1", to: "fd10::1", port: 80 })).toEqual(["pod2 fd44:1::1"]);
    });
  });

  describe("SCTP", () => {
    test("is translated like the others, which conntrack shows as this kernel has no SCTP sockets", async () => {
      await using world = new World();
      const ports = [{ name: "http", protocol: "SCTP" as const, port: 80, nodePort: undefined }];
      await world.apply(
        service("web", { clusterIps: [ip("10.96.0.1")], ports }),
        endpoints("web", 4, [REMOTE.four], "SCTP"),
      );
      // An INIT chunk in a raw packet: ports 4000 and 80, tag 0, CRC32c left out as conntrack lets it pass by default.
      run("sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=0");
      const init = "0fa0005000000000000000000100001411111111000100000001000111111111";
      const script = `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132); s.sendto(bytes.fromhex("${init}"), ("10.96.0.1", 0))`;
      run("ip", "netns", "exec", "client", "python3", "-c", script);
      expect(run("conntrack", "-L", "-p", "sctp")).toContain(
        `dst=10.96.0.1 sport=4000 dport=80 [UNREPLIED] src=${REMOTE.four}`,
      );
    });
  });

  describe("a node without a default route", () => {
    test("reaches services from its own programs, and is refused what is no service", async () => {
      expect(run("ip", "route", "show", "default")).toBe("");
      await using world = new World();
      await world.apply(
        service("web", { clusterIps: [ip("10.96.0.1"), ip("fd10::1")], externalIps: [ip("203.0.113.5")] }),
        endpoints("web", 4, [PODS.pod1.four]),
        endpoints("web", 6, [PODS.pod1.six]),
      );
      for (const to of ["10.96.0.1", "fd10::1", "203.0.113.5"]) {
        expect(tally(await ask({ from: "node", to, port: 80 }))).toEqual({ pod1: 1 });
      }
      for (const from of ["node", "pod1", "client"]) {
        for (const to of ["10.96.77.1", "fd10::77"]) {
          expect(await ask({ from, to, port: 80 })).toEqual(["ECONNREFUSED"]);
        }
      }
      await world.apply(gone("web"));
      expect(run("ip", "route", "show", "table", "default")).toBe("");
    });
  });
});

/** By all sockets of a namespace: a SYN that nobody refuses at once is sent again after a second. */
function segmentsSentAgain(namespace: string): number {
  const enter = namespace === "node" ? [] : ["ip", "netns", "exec", namespace];
  return Number(/TcpRetransSegs\s+(\d+)/.exec(run(...enter, "nstat", "-asz", "TcpRetransSegs"))?.[1]);
}
