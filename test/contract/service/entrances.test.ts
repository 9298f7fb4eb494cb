import { beforeAll, describe, expect, test } from "bun:test";
import type { Service } from "../../../src/network/service.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip } from "../../support/network-objects.ts";
import { ask, buildWorld, CLIENT, endpoints, NODE, PODS, REMOTE, serve, service, tally, World } from "./world.ts";

const EXTERNAL = "203.0.113.7";
const BALANCER = "203.0.113.8";

function loadBalancer(over: Partial<Service> = {}) {
  return service("web", {
    type: "LoadBalancer",
    clusterIps: [ip("10.96.0.1"), ip("fd10::1")],
    externalIps: [ip(EXTERNAL)],
    loadBalancerIps: [ip(BALANCER)],
    ports: [{ name: "http", protocol: "TCP", port: 80, nodePort: 30080 }],
    ...over,
  });
}

inNamespace(import.meta.path, () => {
  beforeAll(async () => {
    await buildWorld();
    // A second client behind the first one's address range, to be told apart by source ranges.
    run("ip", "-n", "client", "address", "add", "192.168.50.3/24", "dev", "eth0");
  });

  describe("a service with outside addresses", () => {
    test("is reached on node ports of every address but loopback, over IPv4 and IPv6", async () => {
      await using world = new World();
      await world.apply(
        loadBalancer(),
        endpoints("web", 4, [PODS.pod1.four, PODS.pod2.four]),
        endpoints("web", 6, [PODS.pod1.six, PODS.pod2.six]),
      );
      for (const to of [NODE.lan4, NODE.lan6]) {
        const counts = tally(await ask({ from: "client", to, port: 30080, times: 40 }));
        expect(Object.keys(counts).sort()).toEqual(["pod1", "pod2"]);
      }
      expect(Object.keys(tally(await ask({ from: "node", to: NODE.lan4, port: 30080 })))[0]).toMatch(/^pod/);
      expect(await ask({ from: "node", to: "127.0.0.1", port: 30080 })).toEqual(["ECONNREFUSED"]);
    });

    test("is reached on external and load-balancer addresses", async () => {
      await using world = new World();
      await world.apply(loadBalancer(), endpoints("web", 4, [PODS.pod1.four]));
      for (const to of [EXTERNAL, BALANCER]) {
        for (const from of ["client", "pod2", "node"]) {
          expect(tally(await ask({ from, to, port: 80 }))).toEqual({ pod1: 1 });
        }
      }
    });

    test("hides the caller under policy Cluster, as another node may answer", async () => {
      await using world = new World();
      await world.apply(loadBalancer(), endpoints("web", 4, [REMOTE.four]));
      expect(await ask({ from: "client", to: EXTERNAL, port: 80 })).toEqual(["remote 10.244.2.1"]);
      expect(await ask({ from: "client", to: NODE.lan4, port: 30080 })).toEqual(["remote 10.244.2.1"]);
    });

    test("lets in only the source ranges of its load-balancer address, and everybody on the others", async () => {
      await using world = new World();
      await world.apply(
        loadBalancer({ loadBalancerSourceRanges: [{ address: ip("192.168.50.3"), length: 32 }] }),
        endpoints("web", 4, [PODS.pod1.four]),
      );
      expect(await ask({ from: "client", to: BALANCER, port: 80 })).toEqual(["TIMEOUT"]);
      expect(tally(await ask({ from: "client", to: EXTERNAL, port: 80 }))).toEqual({ pod1: 1 });
      run("ip", "-n", "client", "route", "replace", BALANCER, "via", NODE.lan4, "src", "192.168.50.3");
      expect(tally(await ask({ from: "client", to: BALANCER, port: 80 }))).toEqual({ pod1: 1 });
      run("ip", "-n", "client", "route", "delete", BALANCER);
    });

    test("lets the node's programs in at an address that the load balancer has given to the node", async () => {
      await using world = new World();
      run("ip", "address", "add", `${BALANCER}/32`, "dev", "lo");
      const from = (address: string) =>
        loadBalancer({ loadBalancerSourceRanges: [{ address: ip(address), length: 24 }] });
      await world.apply(from("192.168.50.0"), endpoints("web", 4, [PODS.pod1.four]));
      // It calls from that very address.
      expect(tally(await ask({ from: "node", to: BALANCER, port: 80, times: 2 }))).toEqual({ pod1: 2 });
      await world.apply(from("192.168.51.0"));
      expect(await ask({ from: "node", to: BALANCER, port: 80 })).toEqual(["TIMEOUT"]);
      run("ip", "address", "del", `${BALANCER}/32`, "dev", "lo");
    });

    test("lets everybody in over the family that its source ranges do not name", async () => {
      await using world = new World();
      await world.apply(
        loadBalancer({
          loadBalancerIps: [ip(BALANCER), ip("fd11::8")],
          loadBalancerSourceRanges: [{ address: ip("192.168.50.3"), length: 32 }],
        }),
        endpoints("web", 6, [PODS.pod1.six]),
      );
      expect(tally(await ask({ from: "client", to: "fd11::8", port: 80 }))).toEqual({ pod1: 1 });
    });

    test("refuses at once without endpoints, on node ports too", async () => {
      await using world = new World();
      await world.apply(loadBalancer());
      expect(await ask({ from: "client", to: NODE.lan4, port: 30080 })).toEqual(["ECONNREFUSED"]);
      expect(await ask({ from: "client", to: EXTERNAL, port: 80 })).toEqual(["ECONNREFUSED"]);
      expect(await ask({ from: "node", to: EXTERNAL, port: 80 })).toEqual(["ECONNREFUSED"]);
    });
  });

  describe("externalTrafficPolicy Local", () => {
    const clusterCidrs = [{ address: ip("10.244.0.0"), length: 16 }];

    test("gives callers from outside an endpoint of this node, which sees who they are", async () => {
      await using world = new World({ clusterCidrs });
      await world.apply(
        loadBalancer({ externalTrafficPolicy: "Local" }),
        endpoints("web", 4, [PODS.pod1.four, REMOTE.four]),
      );
      for (const [to, port] of [
        [EXTERNAL, 80],
        [BALANCER, 80],
        [NODE.lan4, 30080],
      ] as const) {
        const answers = await ask({ from: "client", to, port, times: 12 });
        expect(new Set(answers)).toEqual(new Set([`pod1 ${CLIENT.four}`]));
      }
    });

    test("gives callers on this node and inside the cluster any endpoint", async () => {
      await using world = new World({ clusterCidrs });
      await world.apply(
        loadBalancer({ externalTrafficPolicy: "Local" }),
        endpoints("web", 4, [PODS.pod1.four, REMOTE.four]),
      );
      for (const from of ["node", "pod2"]) {
        const counts = tally(await ask({ from, to: EXTERNAL, port: 80, times: 40 }));
        expect(Object.keys(counts).sort()).toEqual(["pod1", "remote"]);
      }
      const counts = tally(await ask({ from: "node", to: NODE.lan4, port: 30080, times: 40 }));
      expect(Object.keys(counts).sort()).toEqual(["pod1", "remote"]);
    });

    test("drops callers from outside while this node has no endpoint", async () => {
      await using world = new World({ clusterCidrs });
      await world.apply(loadBalancer({ externalTrafficPolicy: "Local" }), endpoints("web", 4, [REMOTE.four]));
      expect(await ask({ from: "client", to: EXTERNAL, port: 80 })).toEqual(["TIMEOUT"]);
      expect(await ask({ from: "client", to: NODE.lan4, port: 30080 })).toEqual(["TIMEOUT"]);
      expect(tally(await ask({ from: "pod2", to: EXTERNAL, port: 80 }))).toEqual({ remote: 1 });
    });
  });

  test("internalTrafficPolicy Local keeps to endpoints of this node", async () => {
    await using world = new World();
    await world.apply(
      service("web", { clusterIps: [ip("10.96.0.1")], internalTrafficPolicy: "Local" }),
      endpoints("web", 4, [PODS.pod1.four, REMOTE.four]),
    );
    expect(tally(await ask({ from: "pod2", to: "10.96.0.1", port: 80, times: 12 }))).toEqual({ pod1: 12 });
    await world.apply(endpoints("web", 4, [REMOTE.four]));
    expect(await ask({ from: "pod2", to: "10.96.0.1", port: 80 })).toEqual(["ECONNREFUSED"]);
  });

  describe("ClientIP affinity", () => {
    test.each([
      ["an external address", EXTERNAL, 80],
      ["a node port", NODE.lan4, 30080],
    ])("lets callers from outside go when they are to stay on this node from now on, on %s", async (_, to, port) => {
      await using world = new World();
      await world.apply(loadBalancer({ affinitySeconds: 100 }), endpoints("web", 4, [REMOTE.four]));
      expect(tally(await ask({ from: "client", to, port }))).toEqual({ remote: 1 });
      await world.apply(
        loadBalancer({ affinitySeconds: 100, externalTrafficPolicy: "Local" }),
        endpoints("web", 4, [PODS.pod1.four, REMOTE.four]),
      );
      expect(await ask({ from: "client", to, port, times: 3 })).toEqual(Array(3).fill(`pod1 ${CLIENT.four}`));
    });

    const all4 = [PODS.pod1.four, PODS.pod2.four, REMOTE.four];
    const all6 = [PODS.pod1.six, PODS.pod2.six, REMOTE.six];

    test.each([
      ["a ClusterIP", "10.96.0.1", 80],
      ["an IPv6 ClusterIP", "fd10::1", 80],
      ["a node port", NODE.lan4, 30080],
      ["an external address", EXTERNAL, 80],
    ] as const)("keeps a client's endpoint on %s, whatever happens to the others", async (_, to, port) => {
      await using world = new World();
      await world.apply(loadBalancer({ affinitySeconds: 100 }), endpoints("web", 4, all4), endpoints("web", 6, all6));
      const [name = "", ...others] = Object.keys(tally(await ask({ from: "client", to, port, times: 15 })));
      expect(others).toEqual([]);

      const own = { pod1: PODS.pod1, pod2: PODS.pod2, remote: REMOTE }[name];
      const rest4 = all4.filter((address) => address !== own?.four);
      const rest6 = all6.filter((address) => address !== own?.six);
      await world.apply(
        endpoints("web", 4, [own?.four ?? "", rest4[0] ?? ""]),
        endpoints("web", 6, [own?.six ?? "", rest6[0] ?? ""]),
      );
      expect(tally(await ask({ from: "client", to, port, times: 15 }))).toEqual({ [name]: 15 });

      // Its own endpoint goes: it gets another one, and keeps that.
      await world.apply(endpoints("web", 4, rest4), endpoints("web", 6, rest6));
      const after = tally(await ask({ from: "client", to, port, times: 15 }));
      expect(Object.values(after)).toEqual([15]);
      expect(after).not.toHaveProperty(name);
    });

    test.each([
      ["a ClusterIP", "10.96.0.1", 80],
      ["an IPv6 ClusterIP", "fd10::1", 80],
      ["a node port", NODE.lan4, 30080],
      ["an external address", EXTERNAL, 80],
    ] as const)("keeps callers with an endpoint that is a program of this node, on %s", async (_, to, port) => {
      await using _server = await serve("node");
      await using world = new World();
      const own4 = endpoints("web", 4, [NODE.lan4]);
      await world.apply(loadBalancer({ affinitySeconds: 100 }), own4, endpoints("web", 6, [NODE.lan6]));
      for (const from of ["client", "pod1", "node"]) {
        expect(tally(await ask({ from, to, port }))).toEqual({ node: 1 });
      }
      await world.apply(
        endpoints("web", 4, [NODE.lan4, PODS.pod2.four, REMOTE.four]),
        endpoints("web", 6, [NODE.lan6, PODS.pod2.six, REMOTE.six]),
      );
      for (const from of ["client", "pod1", "node"]) {
        expect(tally(await ask({ from, to, port, times: 15 }))).toEqual({ node: 15 });
      }
    });

    test("is forgotten with the endpoint, and shows in what nft lists", async () => {
      await using world = new World();
      await world.apply(loadBalancer({ affinitySeconds: 100 }), endpoints("web", 4, all4));
      await ask({ from: "client", to: "10.96.0.1", port: 80, times: 2 });
      const remembered = `${CLIENT.four} . 10.96.0.1 . tcp . 80`;
      expect(run("nft", "list", "map", "ip", "selvedge", "affinity")).toContain(remembered);
      await world.apply(endpoints("web", 4, []));
      expect(run("nft", "list", "map", "ip", "selvedge", "affinity")).not.toContain(remembered);
    });

    test("ends with its time-out", async () => {
      await using world = new World();
      await world.apply(loadBalancer({ affinitySeconds: 1 }), endpoints("web", 4, all4));
      await ask({ from: "client", to: "10.96.0.1", port: 80 });
      const expires = () => !run("nft", "list", "map", "ip", "selvedge", "affinity").includes(CLIENT.four);
      expect(expires()).toBe(false);
      await waitFor("the client forgotten", expires);
    });
  });
});
