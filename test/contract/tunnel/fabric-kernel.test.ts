import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { FabricKernel, type WantedFabric } from "../../../edge/tunnel/fabric-kernel.ts";
import { planFabricView } from "../../../edge/tunnel/fabric-view.ts";
import { removeFabric } from "../../../edge/tunnel/leftovers.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../../src/linux/netlink-socket.ts";
import { childAssociation, ikeAssociation } from "../../support/association-objects.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip, prefix } from "../../support/network-objects.ts";
import { makeEdgeEndpoint } from "../../support/tunnel-objects.ts";

const own = makeEdgeEndpoint("paris.e1", { subnets: ["10.1.7.0/24", "fd00:7::/64"], nodeSubnets: ["192.168.9.7"] });
const peer = makeEdgeEndpoint("paris.e2", {
  publicAddresses: ["203.0.113.8"],
  subnets: ["10.1.8.0/24", "fd00:8::/64"],
  nodeSubnets: ["192.168.9.8"],
});

function wanted(over: Partial<WantedFabric> = {}, cluster: readonly string[] = []): WantedFabric {
  const config = { endpoint: own, peers: [peer], mediator: undefined, peerShards: 0 };
  return {
    fabric: planFabricView(config, cluster.map(prefix)),
    tunnels: new Map(),
    unknown: new Set(),
    servesPrefix: () => false,
    masquerade: true,
    ...over,
  };
}

const association = ikeAssociation(1, [], {
  remoteHost: ip("203.0.113.8"),
  children: [childAssociation(2, "p2p", { encapsulated: true })],
});
const up: WantedFabric["tunnels"] = new Map([
  ["paris.e2", { installed: new Set(["p2p", "n2p", "p2n"] as const), association, pathMtu: undefined }],
]);

const routes = (table: number, family = "-4") => run("ip", family, "route", "show", "table", String(table));
const dropped = () =>
  Number(/counter packets (\d+)/.exec(run("nft", "list", "chain", "inet", "selvedge-fabric", "clear"))?.[1]);
const ping = (...words: string[]) => Bun.spawnSync(["ping", "-n", "-c", "1", "-W", "0.1", ...words]);

inNamespace(import.meta.path, () => {
  let kernel: FabricKernel;
  beforeAll(() => {
    run("sh", "-ec", "ip link add eth0 type veth peer name wire; ip link set wire up; ip link set eth0 up");
    run("ip", "address", "add", "192.168.9.7/24", "dev", "eth0");
    run("ip", "route", "add", "default", "via", "192.168.9.1");
    run("sh", "-ec", "ip link add pods type bridge; ip link set pods up; ip address add 10.1.7.1/24 dev pods");
    run("sh", "-ec", "ip -6 address add fd00:7::1/64 dev pods nodad; ip -6 route add default dev eth0");
    run("ip", "neighbor", "add", "192.168.9.1", "lladdr", "02:00:00:00:00:01", "dev", "eth0", "nud", "permanent");
    kernel = new FabricKernel("br-fabedge");
  });
  afterAll(() => kernel.close());
  afterEach(() => {
    run("sh", "-c", "ip link del ipsec0 2>/dev/null; true");
    const route = new NetlinkSocket(NETLINK_ROUTE);
    removeFabric(route, false);
    route.close();
  });

  describe("with ESP of the kernel's", () => {
    test("routes lead to the uplink's gateway, and below them nowhere", () => {
      kernel.apply(wanted());
      expect(routes(220)).toBe("unreachable 10.1.8.0/24 proto 83 metric 4278198272 \n");
      expect(kernel.apply(wanted({ tunnels: up })).findings).toEqual([]);
      expect(routes(220)).toBe(
        "10.1.8.0/24 via 192.168.9.1 dev eth0 proto 83 src 192.168.9.7 mtu 1438 \n" +
          "unreachable 10.1.8.0/24 proto 83 metric 4278198272 \n",
      );
      expect(routes(220, "-6")).toContain("fd00:8::/64 dev eth0 proto 83 metric 1024 mtu 1438");
      expect(routes(221)).toContain("192.168.9.8 via 192.168.9.1 dev eth0 proto 83 src 192.168.9.7 mtu 1438");
      expect(run("ip", "rule")).toContain("221:\tfrom 10.1.7.0/24 lookup 221 proto 83");
      expect(run("ip", "rule")).toContain("220:\tnot from all fwmark 0x42 lookup 220 proto 83");
    });

    test("what no policy takes is dropped although there is a route, and all else is not", () => {
      kernel.apply(wanted({ tunnels: up }));
      expect(dropped()).toBe(0);
      ping("10.1.8.1");
      ping("-I", "10.1.7.1", "192.168.9.8");
      expect(dropped()).toBe(2);
      ping("-I", "fd00:7::1", "fd00:8::1");
      expect(dropped()).toBe(3);
      // The node itself may speak to the peer's node, and everybody to the world.
      ping("192.168.9.8");
      ping("192.0.2.1");
      ping("-I", "10.1.7.1", "192.0.2.1");
      ping("-I", "fd00:7::1", "fd00:9::1");
      expect(dropped()).toBe(3);
    });

    test("what a policy takes passes", () => {
      kernel.apply(wanted({ tunnels: up }));
      const policy = ["src", "10.1.7.0/24", "dst", "10.1.8.0/24", "dir", "out"];
      const template = ["tmpl", "src", "192.168.9.7", "dst", "203.0.113.8", "proto", "esp", "mode", "tunnel"];
      run("ip", "xfrm", "policy", "add", ...policy, ...template);
      ping("-I", "10.1.7.1", "10.1.8.1");
      // It waits for an SA, which is not there.
      expect(dropped()).toBe(0);
      run("ip", "xfrm", "policy", "flush");
      ping("-I", "10.1.7.1", "10.1.8.1");
      expect(dropped()).toBe(1);
    });

    test("an uplink with IPv6 alone carries IPv4, without a gateway that IPv4 could have", () => {
      const far = { ...association, remoteHost: ip("2001:db8::8") };
      const tunnels = new Map([...up].map(([name, tunnel]) => [name, { ...tunnel, association: far }] as const));
      expect(kernel.apply(wanted({ tunnels })).findings).toEqual([]);
      // 1500 less 40 bytes of IPv6, 8 of UDP, 8 of ESP, 8 of IV, 16 of ICV and 2 of the trailer.
      expect(routes(220)).toContain("10.1.8.0/24 dev eth0 proto 83 scope link src 192.168.9.7 mtu 1418");
      const policy = ["src", "10.1.7.0/24", "dst", "10.1.8.0/24", "dir", "out"];
      const template = ["tmpl", "src", "fd00:7::1", "dst", "2001:db8::8", "proto", "esp", "mode", "tunnel"];
      run("ip", "xfrm", "policy", "add", ...policy, ...template);
      ping("-I", "10.1.7.1", "10.1.8.1");
      expect(dropped()).toBe(0);
      run("ip", "xfrm", "policy", "flush");
    });

    test("a path that is known to be narrow makes smaller packets", () => {
      const narrow = [...up].map(([name, tunnel]) => [name, { ...tunnel, pathMtu: 1280 }] as const);
      kernel.apply(wanted({ tunnels: new Map(narrow) }));
      expect(routes(220)).toContain("mtu 1218");
    });
  });

  describe("with ESP of charon's", () => {
    test("routes lead into its link, and what goes in there is charon's to encrypt or drop", () => {
      run(
        "sh",
        "-ec",
        "ip link add ipsec0 mtu 1400 type veth peer name charon; ip link set charon up; ip link set ipsec0 up",
      );
      kernel.apply(wanted({ tunnels: up }));
      expect(routes(220)).toContain("10.1.8.0/24 dev ipsec0 proto 83 scope link src 192.168.9.7 mtu 1400");
      ping("10.1.8.1");
      expect(dropped()).toBe(0);
    });
  });

  test("the cluster's networks lead nowhere and are guarded, but for what is here and what the main table leads to", () => {
    const all = wanted({ tunnels: up }, ["10.1.0.0/16", "fd00::/16"]);
    kernel.apply(all);
    const way = (to: string) => {
      const { stdout, stderr } = Bun.spawnSync(["ip", "route", "get", to]);
      return `${stdout}${stderr}`;
    };
    for (const stranger of ["10.1.9.1", "fd00:9::1"]) expect(way(stranger)).toContain("No route to host");
    expect(way("10.1.7.9")).toContain("dev pods");
    expect(way("10.1.8.9")).toContain("via 192.168.9.1 dev eth0 table 220");
    run("ip", "route", "add", "10.1.9.0/24", "via", "192.168.9.1");
    run("ip", "-6", "route", "add", "fd00:9::/64", "via", "fe80::1", "dev", "eth0");
    expect(kernel.apply(all).writes).toBeGreaterThan(0);
    expect(kernel.apply(all).writes).toBe(0);
    for (const native of ["10.1.9.1", "fd00:9::1"]) expect(way(native)).toContain("dev eth0");
    expect(way("10.1.10.1")).toContain("No route to host");
    const before = dropped();
    ping("10.1.9.1");
    expect(dropped()).toBe(before);
    // A stranger's that somebody else's route leads to, in front of ours.
    run("ip", "route", "add", "10.1.10.0/24", "via", "192.168.9.1", "table", "220");
    ping("10.1.10.1");
    ping("-I", "10.1.7.1", "10.1.10.1");
    expect(dropped()).toBe(before + 2);
    run("ip", "route", "flush", "table", "220");
    run("ip", "route", "del", "10.1.9.0/24");
    run("ip", "-6", "route", "del", "fd00:9::/64");
  });

  test("a second look changes nothing, and an agent that starts again neither", () => {
    kernel.apply(wanted({ tunnels: up }));
    expect(kernel.apply(wanted({ tunnels: up })).writes).toBe(0);
    const next = new FabricKernel("br-fabedge");
    expect(next.apply(wanted({ unknown: new Set(["paris.e2"]) })).writes).toBe(0);
    expect(next.apply(wanted({ tunnels: up })).writes).toBe(0);
    expect(next.apply(wanted()).writes).toBeGreaterThan(0);
    next.close();
  });

  test("whatever leaves the fabric is masqueraded, if that is wanted", () => {
    const table = () => run("nft", "list", "table", "inet", "selvedge-fabric");
    kernel.apply(wanted());
    expect(table()).toContain("masquerade fully-random");
    kernel.apply(wanted({ masquerade: false }));
    expect(table()).not.toContain("masquerade");
  });

  test("foreign routes in the way and chains that drop are told, and left alone", () => {
    run("ip", "route", "add", "10.1.8.0/24", "via", "192.168.9.2", "table", "220");
    run(
      "nft",
      "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }",
    );
    const { findings } = kernel.apply(wanted({ tunnels: up }));
    expect(findings.map(({ code }) => code)).toEqual(["FORWARD_DROPPED", "TUNNEL_ROUTES_FAILED"]);
    expect(findings[0]?.message).toContain("ip filter FORWARD");
    expect(routes(220)).toContain("10.1.8.0/24 via 192.168.9.2 dev eth0");
    run("nft", "delete", "table", "ip", "filter");
    run("ip", "route", "flush", "table", "220");
    expect(kernel.apply(wanted({ tunnels: up })).findings).toEqual([]);
  });

  test("a chain that drops is not told of once it lets pass what comes from the pods' bridge and goes there", () => {
    const accept = (way: string, link: string) =>
      run("nft", "add", "rule", "inet", "own", "forward", way, link, "accept");
    const codes = () => kernel.apply(wanted({ tunnels: up })).findings.map(({ code }) => code);
    run("nft", "table inet own { chain forward { type filter hook forward priority 0; policy drop; }\n}");
    // By the route to the pods it is another one than the plugin would make.
    for (const way of ["iifname", "oifname"]) accept(way, "br-fabedge");
    expect(codes()).toEqual(["FORWARD_DROPPED"]);
    accept("iifname", "pods");
    expect(codes()).toEqual(["FORWARD_DROPPED"]);
    accept("oifname", "pods");
    expect(codes()).toEqual([]);
    run("ip", "link", "set", "pods", "down");
    expect(codes()).toEqual([]);
    run("nft", "delete", "table", "inet", "own");
    run("sh", "-ec", "ip link set pods up; ip -6 address add fd00:7::1/64 dev pods nodad");
  });

  test("everything of ours goes with a clean-up, and nothing else", () => {
    run("ip", "route", "add", "10.99.0.0/16", "dev", "eth0", "table", "220");
    kernel.apply(wanted({ tunnels: up }));
    const route = new NetlinkSocket(NETLINK_ROUTE);
    expect(removeFabric(route, true).length).toBeGreaterThan(8);
    expect(routes(220)).toContain("10.1.8.0/24");
    removeFabric(route, false);
    expect(removeFabric(route, true)).toEqual([]);
    expect(routes(220)).toBe("10.99.0.0/16 dev eth0 scope link \n");
    expect(run("ip", "rule")).not.toMatch(/22[01]/);
    expect(run("nft", "list", "tables")).toBe("");
    run("ip", "route", "flush", "table", "220");
    route.close();
  });
});
