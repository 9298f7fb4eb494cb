import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { errorCode } from "../../../src/base/errors.ts";
import type { Family } from "../../../src/base/ip.ts";
import { addAddress, deleteAddress, listAddresses } from "../../../src/linux/addresses.ts";
import { createLink, deleteLink, findLink, listLinks, setLinkUp } from "../../../src/linux/links.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../../src/linux/netlink-socket.ts";
import { addRoute, deleteRoute, listRoutes } from "../../../src/linux/routes.ts";
import { addRule, deleteRule, listRules } from "../../../src/linux/rules.ts";
import type { Link } from "../../../src/wire/rtnetlink-link.ts";
import { ROUTE_PROTOCOL, type Route } from "../../../src/wire/rtnetlink-route.ts";
import { isForAll } from "../../../src/wire/rtnetlink-rule.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip, prefix } from "../../support/network-objects.ts";

function ipJson<T>(...words: string[]): T[] {
  return JSON.parse(run("ip", "-json", "-details", ...words)) as T[];
}

function refusal(attempt: () => void): string {
  try {
    attempt();
  } catch (error) {
    return errorCode(error);
  }
  return "none";
}

function existing(socket: NetlinkSocket, name: string): Link {
  const link = findLink(socket, name);
  if (link === undefined) throw new Error(`no link ${name}`);
  return link;
}

inNamespace(import.meta.path, () => {
  let socket: NetlinkSocket;
  beforeAll(() => {
    socket = new NetlinkSocket(NETLINK_ROUTE);
  });
  afterAll(() => socket.close());

  describe("links", () => {
    interface IpLink {
      readonly ifindex: number;
      readonly ifname: string;
      readonly flags: readonly string[];
      readonly mtu: number;
      readonly master?: string;
      readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: { readonly nf_call_iptables?: number } };
    }

    test("a list says of every link what ip says", () => {
      run("ip", "link", "add", "list-br", "mtu", "1400", "type", "bridge", "nf_call_iptables", "1");
      run("ip", "link", "add", "list-a", "type", "veth", "peer", "list-b");
      run("ip", "link", "set", "list-a", "up", "master", "list-br");
      const oracle = ipJson<IpLink>("link", "show");
      const index = new Map(oracle.map((link) => [link.ifname, link.ifindex]));
      expect(listLinks(socket)).toEqual(
        oracle.map((link) => ({
          index: link.ifindex,
          name: link.ifname,
          kind: link.linkinfo?.info_kind,
          up: link.flags.includes("UP"),
          running: link.flags.includes("UP") && !link.flags.includes("NO-CARRIER"),
          loopback: link.flags.includes("LOOPBACK"),
          multicast: link.flags.includes("MULTICAST"),
          mtu: link.mtu,
          master: link.master === undefined ? undefined : index.get(link.master),
          bridgeCallsIptables:
            link.linkinfo?.info_data?.nf_call_iptables === undefined
              ? undefined
              : link.linkinfo.info_data.nf_call_iptables === 1,
        })),
      );
      run("ip", "link", "delete", "list-br");
      run("ip", "link", "delete", "list-a");
    });

    test("a link is created up, found by its name, refused a second time, and deleted", () => {
      expect(findLink(socket, "made")).toBeUndefined();
      createLink(socket, "made", "bridge");
      const [oracle] = ipJson<IpLink>("link", "show", "made");
      expect(oracle?.linkinfo?.info_kind).toBe("bridge");
      expect(oracle?.flags).toContain("UP");
      expect(refusal(() => createLink(socket, "made", "bridge"))).toBe("EEXIST");
      const link = existing(socket, "made");
      expect(link).toEqual(listLinks(socket).find((other) => other.name === "made") as Link);
      deleteLink(socket, link);
      expect(findLink(socket, "made")).toBeUndefined();
      expect(refusal(() => deleteLink(socket, link))).toBe("ENODEV");
    });

    test("a link that is down is set up", () => {
      run("ip", "link", "add", "asleep", "type", "bridge");
      expect(existing(socket, "asleep").up).toBe(false);
      setLinkUp(socket, existing(socket, "asleep"));
      expect(ipJson<IpLink>("link", "show", "asleep")[0]?.flags).toContain("UP");
      run("ip", "link", "delete", "asleep");
    });
  });

  describe("addresses", () => {
    interface IpAddress {
      readonly addr_info: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
    }
    const shown = (name: string) =>
      ipJson<IpAddress>("address", "show", "dev", name).flatMap((link) =>
        link.addr_info.map((a) => `${a.local}/${a.prefixlen} ${a.scope}`),
      );

    test.each([
      ["10.9.8.7", 24, "global", 4],
      ["169.254.25.10", 32, "host", 4],
      ["fd00::7", 64, "global", 6],
    ] as const)(
      "%s/%i of scope %s is added, listed, refused a second time, and deleted",
      (text, length, scope, family) => {
        createLink(socket, "addr", "bridge");
        const link = existing(socket, "addr");
        const address = { linkIndex: link.index, address: ip(text), prefixLength: length, scope };
        addAddress(socket, address);
        expect(shown("addr")).toContain(`${text}/${length} ${scope}`);
        const label = family === 4 ? link.name : undefined;
        expect(listAddresses(socket, family)).toContainEqual({ ...address, label });
        expect(refusal(() => addAddress(socket, address))).toBe("EEXIST");
        deleteAddress(socket, address);
        expect(shown("addr")).not.toContain(`${text}/${length} ${scope}`);
        expect(refusal(() => deleteAddress(socket, address))).toBe("EADDRNOTAVAIL");
        deleteLink(socket, link);
      },
    );

    test("a point-to-point address is the node's own end", () => {
      run("ip", "link", "add", "ptp", "type", "bridge");
      run("ip", "address", "add", "10.1.1.1", "peer", "10.1.1.2/32", "dev", "ptp");
      expect(listAddresses(socket, 4).map((a) => a.address)).toContain(ip("10.1.1.1"));
      expect(listAddresses(socket, 4).map((a) => a.address)).not.toContain(ip("10.1.1.2"));
      run("ip", "link", "delete", "ptp");
    });

    test("an IPv6 address on a link without carrier is usable at once", () => {
      createLink(socket, "quiet", "bridge");
      const { index } = existing(socket, "quiet");
      addAddress(socket, { linkIndex: index, address: ip("fd00:1::1"), prefixLength: 128, scope: "global" });
      const server = Bun.listen({ hostname: "fd00:1::1", port: 0, socket: { data() {} } });
      server.stop(true);
      run("ip", "link", "delete", "quiet");
    });
  });

  describe("routes", () => {
    interface IpRoute {
      readonly dst: string;
      readonly type: string;
      readonly protocol: string;
      readonly metric?: number;
      readonly gateway?: string;
      readonly dev?: string;
    }
    const plain = { table: 220, protocol: ROUTE_PROTOCOL, scope: 0, metric: 0 } as const;
    const none = { linkIndex: undefined, gateway: undefined, source: undefined } as const;
    const shown = (family: Family) => {
      const oracle = Bun.spawnSync(["ip", "-json", "-details", `-${family}`, "route", "show", "table", "220"]);
      return oracle.exitCode === 0 ? (JSON.parse(oracle.stdout.toString()) as IpRoute[]) : [];
    };

    test("the table that is not there yet is empty", () => {
      expect(listRoutes(socket, { family: 4, table: 4711 })).toEqual([]);
      expect(listRoutes(socket, { family: 6, table: 4711 })).toEqual([]);
    });

    test.each([
      ["10.40.0.0/16", "unreachable", 4],
      ["10.41.0.0/16", "blackhole", 4],
      ["fd00:40::/32", "unreachable", 6],
      ["fd00:41::/32", "blackhole", 6],
    ] as const)("%s is added as %s, listed as ours, and deleted", (text, type, family) => {
      const route: Route = { ...plain, ...none, destination: prefix(text), type, metric: 512 };
      addRoute(socket, route);
      expect(shown(family)).toMatchObject([{ dst: text, type, protocol: String(ROUTE_PROTOCOL), metric: 512 }]);
      const [listed] = listRoutes(socket, { family, table: 220 });
      // The kernel hangs IPv6 rejects on lo.
      expect<unknown>({ ...listed, linkIndex: undefined }).toEqual(route);
      expect(refusal(() => addRoute(socket, route))).toBe("EEXIST");
      deleteRoute(socket, route);
      expect(shown(family)).toEqual([]);
      expect(refusal(() => deleteRoute(socket, route))).toBe("ESRCH");
    });

    test.each([
      ["10.50.0.0/16", "10.60.0.2", "10.60.0.1", 4, 0],
      ["fd00:50::/32", "fd00:60::2", "fd00:60::1", 6, 1024],
    ] as const)("%s via a gateway is what ip shows", (text, gateway, own, family, metric) => {
      createLink(socket, "gw", "bridge");
      run("ip", "address", "add", `${own}/${family === 4 ? 24 : 64}`, "dev", "gw", "nodad");
      const { index } = existing(socket, "gw");
      const ends = { linkIndex: index, gateway: ip(gateway), source: ip(own) };
      const route: Route = { ...plain, ...ends, metric, destination: prefix(text), type: "unicast" };
      addRoute(socket, route);
      expect(shown(family)).toMatchObject([{ dst: text, gateway, dev: "gw" }]);
      expect(listRoutes(socket, { family, table: 220 })).toEqual([route]);
      run("ip", "link", "delete", "gw");
    });

    test("a default route is listed as the whole family", () => {
      createLink(socket, "def", "bridge");
      run("ip", "route", "add", "default", "dev", "def", "table", "220");
      expect(listRoutes(socket, { family: 4, table: 220 }).map((r) => r.destination)).toEqual([prefix("0.0.0.0/0")]);
      run("ip", "link", "delete", "def");
    });
  });

  describe("rules", () => {
    test.each([4, 6] as const)("an IPv%i rule is added, listed, refused a second time, and deleted", (family) => {
      const rule = { family, priority: 220, table: 220 };
      const shown = () => run("ip", `-${family}`, "rule", "show");
      addRule(socket, rule);
      expect(shown()).toContain("220:\tfrom all lookup 220");
      expect(listRules(socket, family)).toContainEqual(rule);
      expect(refusal(() => addRule(socket, rule))).toBe("EEXIST");
      deleteRule(socket, rule);
      expect(shown()).not.toContain("220");
      expect(refusal(() => deleteRule(socket, rule))).toBe("ENOENT");
    });

    test("rules for some packets only are not taken for rules for all", () => {
      run("ip", "rule", "add", "pref", "300", "fwmark", "0x42", "lookup", "220");
      run("ip", "rule", "add", "pref", "301", "not", "from", "all", "fwmark", "0x42", "lookup", "220");
      run("ip", "rule", "add", "pref", "302", "from", "10.0.0.0/8", "lookup", "220");
      run("ip", "rule", "add", "pref", "303", "from", "all", "iif", "lo", "lookup", "220");
      run("ip", "rule", "add", "pref", "304", "blackhole");
      run("ip", "rule", "add", "pref", "305", "lookup", "main", "suppress_prefixlength", "0");
      run("ip", "rule", "add", "pref", "307", "not", "from", "all", "lookup", "220");
      run("ip", "rule", "add", "pref", "306", "lookup", "1000000");
      const shown = listRules(socket, 4).map((rule) => [rule.priority, rule.table, isForAll(rule)]);
      expect(shown).toEqual([
        [0, 255, true],
        [300, 220, false],
        [301, 220, false],
        [302, 220, false],
        [303, 220, false],
        [305, 254, false],
        [306, 1_000_000, true],
        [307, 220, false],
        [32766, 254, true],
        [32767, 253, true],
      ]);
    });
  });
});
