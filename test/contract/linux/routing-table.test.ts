import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Family } from "../../../src/base/ip.ts";
import { findLink } from "../../../src/linux/links.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../../src/linux/netlink-socket.ts";
import { type RoutingChange, watchRouting } from "../../../src/linux/routing-events.ts";
import { applyRoutingRules, removeRoutingRules } from "../../../src/linux/routing-rules.ts";
import { RoutingTable } from "../../../src/linux/routing-table.ts";
import {
  LAST_RESORT_METRIC,
  NODE_ROUTES_TABLE,
  POD_ROUTES_TABLE,
  type UnicastRoute,
  type WantedRoute,
} from "../../../src/linux/routing-table-plan.ts";
import { IKE_MARK, lookUpUplink } from "../../../src/linux/uplink.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip, prefix } from "../../support/network-objects.ts";

/** What differs between the families, and nothing else. */
const NETS = {
  4: { own: "192.168.7.2", gateway: "192.168.7.1", other: "192.168.7.9", far: "172.30.0.1", bits: 24 },
  6: { own: "fd07::2", gateway: "fd07::1", other: "fd07::9", far: "fd99::1", bits: 64 },
} as const;

interface IpRoute {
  readonly dst: string;
  readonly type: string;
  readonly dev?: string;
  readonly gateway?: string;
  readonly protocol: string;
  readonly metric?: number;
  readonly flags: readonly string[];
  readonly prefsrc?: string;
  readonly metrics?: readonly { readonly mtu?: number }[];
}

function shown(family: Family, table = POD_ROUTES_TABLE): readonly IpRoute[] {
  const oracle = Bun.spawnSync(["ip", "-json", "-details", `-${family}`, "route", "show", "table", String(table)]);
  return oracle.exitCode === 0 ? (JSON.parse(oracle.stdout.toString()) as IpRoute[]) : [];
}

function shownRules(family: Family): readonly string[] {
  const lines = run("ip", "-details", `-${family}`, "rule", "show").trim().split("\n");
  return lines.map((line) => line.replaceAll(/\s+/g, " ")).filter((line) => /lookup 22[01]/.test(line));
}

function podPrefix(family: Family, n: number) {
  return prefix(family === 4 ? `10.${200 + (n >> 8)}.${n & 0xff}.0/24` : `fd24:0:0:${n.toString(16)}::/64`);
}

inNamespace(import.meta.path, () => {
  let socket: NetlinkSocket;
  let table: RoutingTable;
  let uplink: number;
  beforeAll(() => {
    run("ip", "link", "add", "uplink", "type", "veth", "peer", "uplink-end");
    run("ip", "link", "set", "uplink-end", "up");
    run("ip", "link", "set", "uplink", "up", "mtu", "1500");
    for (const family of [4, 6] as const) {
      const { own, gateway, bits } = NETS[family];
      run("ip", "address", "add", `${own}/${bits}`, "dev", "uplink", "nodad");
      run("ip", `-${family}`, "route", "add", "default", "via", gateway);
    }
    socket = new NetlinkSocket(NETLINK_ROUTE);
    table = new RoutingTable(socket, POD_ROUTES_TABLE);
    uplink = findLink(socket, "uplink")?.index ?? 0;
  });
  afterAll(() => socket.close());

  describe.each([4, 6] as const)("the IPv%i routes of a table", (family) => {
    const { own, gateway, other, far } = NETS[family];
    const metric = family === 4 ? 0 : 1024;
    const via = (n: number, more: Partial<UnicastRoute> = {}): UnicastRoute => ({
      kind: "unicast",
      destination: podPrefix(family, n),
      linkIndex: uplink,
      gateway: ip(gateway),
      ...more,
    });
    const refused = (n: number): WantedRoute => ({
      kind: "unreachable",
      destination: podPrefix(family, n),
      metric: LAST_RESORT_METRIC,
    });

    test("are what ip shows, and are not written a second time", () => {
      const wanted = [
        refused(1),
        via(1, { source: ip(own), mtu: 1400 }),
        via(2, { gateway: ip(far), onlink: true }),
        via(3, { gateway: undefined }),
        refused(4),
      ];
      expect(table.apply(wanted)).toEqual({ writes: 5, blocked: [], failures: [] });
      const dst = (n: number) => podPrefix(family, n).address;
      const lines = shown(family).map(({ dst, type, gateway, dev, metric, prefsrc, metrics, flags, protocol }) => {
        expect(protocol).toBe("83");
        return [
          dst.split("/")[0],
          type,
          gateway,
          type === "unicast" ? dev : "",
          metric ?? 0,
          prefsrc,
          metrics?.[0]?.mtu,
          flags.includes("onlink"),
        ];
      });
      const none = undefined;
      expect(lines.sort()).toEqual(
        [
          [dst(1), "unicast", gateway, "uplink", metric, own, 1400, false],
          [dst(1), "unreachable", none, "", LAST_RESORT_METRIC, none, none, false],
          [dst(2), "unicast", far, "uplink", metric, none, none, true],
          [dst(3), "unicast", none, "uplink", metric, none, none, false],
          [dst(4), "unreachable", none, "", LAST_RESORT_METRIC, none, none, false],
        ].sort(),
      );
      expect(table.apply(wanted).writes).toBe(0);
      expect(table.apply([]).writes).toBe(5);
      expect(shown(family)).toEqual([]);
    });

    test.each<readonly [string, Partial<UnicastRoute>, Partial<UnicastRoute>]>([
      ["another gateway", {}, { gateway: ip(other) }],
      ["another MTU", { mtu: 1400 }, { mtu: 1300 }],
      ["no MTU", { mtu: 1400 }, {}],
      ["a source", {}, { source: ip(own) }],
      ["no gateway", {}, { gateway: undefined }],
      ["a gateway", { gateway: undefined }, {}],
    ])("are given %s in one go", (_, old, young) => {
      const [before, after] = [via(1, old), via(1, young)];
      table.apply([refused(1), before]);
      const monitor = watchRoutes(family);
      expect(table.apply([refused(1), after])).toEqual({ writes: 1, blocked: [], failures: [] });
      expect(monitor()).not.toContain("Deleted");
      expect(table.apply([refused(1), after]).writes).toBe(0);
      expect(shown(family)).toHaveLength(2);
      table.apply([]);
    });

    test("of other programs are left alone, and stand in the way only of the same destination and metric", () => {
      const { address, length } = podPrefix(family, 1);
      const words = [`${address}/${length}`, "via", other, "dev", "uplink", "table", "220", "proto", "bird"];
      run("ip", `-${family}`, "route", "add", ...words);
      const before = shown(family);
      const state = table.apply([refused(1), via(1), via(2)]);
      expect(state.writes).toBe(2);
      expect(state.blocked.map((route) => route.destination)).toEqual([podPrefix(family, 1)]);
      expect(state.failures).toEqual([]);
      expect(table.apply([]).writes).toBe(2);
      expect(shown(family)).toEqual(before);
      run("ip", `-${family}`, "route", "del", ...words);
    });

    test("are all written but the one that the kernel refuses", () => {
      const state = table.apply([via(1), via(2, { gateway: ip(far) }), via(3)]);
      expect(state.writes).toBe(2);
      expect(state.failures.map(({ route, error }) => [route.destination, error.code])).toEqual([
        [podPrefix(family, 2), family === 4 ? "ENETUNREACH" : "EHOSTUNREACH"],
      ]);
      table.apply([]);
    });

    test("on which another program has hung a next hop are put right, and are removed as a whole", () => {
      if (family === 4) return;
      const { address, length } = podPrefix(family, 1);
      const words = [`${address}/${length}`, "via", other, "dev", "uplink", "table", "220", "metric", "1024"];
      table.apply([via(1)]);
      run("ip", "-6", "route", "append", ...words, "proto", "83");
      expect(table.observe()).toMatchObject([{ multipath: true }]);
      expect(table.apply([via(1)]).writes).toBe(1);
      expect(shown(family)).toMatchObject([{ gateway }]);
      run("ip", "-6", "route", "append", ...words, "proto", "83");
      expect(table.apply([]).writes).toBe(1);
      expect(shown(family)).toEqual([]);
    });

    test("are removed for good, or only told of", () => {
      table.apply([refused(1), via(1)]);
      expect(table.remove(true)).toHaveLength(2);
      expect(shown(family)).toHaveLength(2);
      expect(table.remove(false)).toHaveLength(2);
      expect(shown(family)).toEqual([]);
    });

    test("are counted in thousands", () => {
      const many = Array.from({ length: 2500 }, (_, n) => via(n));
      expect(table.apply(many)).toEqual({ writes: 2500, blocked: [], failures: [] });
      expect(shown(family)).toHaveLength(2500);
      expect(table.apply(many).writes).toBe(0);
      table.apply([]);
      expect(shown(family)).toEqual([]);
    });
  });

  describe.each([4, 6] as const)("the IPv%i rules", (family) => {
    const families = [family] as const;
    const all = { family, priority: 220, table: POD_ROUTES_TABLE } as const;
    const notIke = { ...all, mark: { value: IKE_MARK, mask: 0xffffffff }, invert: true };
    const ofPods = { family, priority: 221, table: NODE_ROUTES_TABLE, from: podPrefix(family, 9) } as const;
    const apply = (...wanted: readonly (typeof all | typeof notIke | typeof ofPods)[]) =>
      applyRoutingRules(socket, wanted, [POD_ROUTES_TABLE, NODE_ROUTES_TABLE], families);
    const from = `${podPrefix(family, 9).address}/${family === 4 ? 24 : 64}`;

    test("are what ip shows, are made once, change and go", () => {
      expect(apply(notIke, ofPods)).toBe(2);
      const made = ["220: not from all fwmark 0x42 lookup 220 proto 83", `221: from ${from} lookup 221 proto 83`];
      expect(shownRules(family)).toEqual(made);
      expect(apply(notIke, ofPods)).toBe(0);
      expect(apply(all)).toBe(3);
      expect(shownRules(family)).toEqual(["220: from all lookup 220 proto 83"]);
      expect(removeRoutingRules(socket, [POD_ROUTES_TABLE], true, families)).toHaveLength(1);
      expect(removeRoutingRules(socket, [POD_ROUTES_TABLE], false, families)).toHaveLength(1);
      expect(shownRules(family)).toEqual([]);
    });

    test.each([
      ["charon's", ["not", "from", "all", "fwmark", "0x42", "lookup", "220", "pref", "220"]],
      ["FabEdge's", ["from", "all", "lookup", "220", "pref", "220"]],
    ])("are not made where %s does the same", (_, words) => {
      run("ip", `-${family}`, "rule", "add", ...words);
      const before = shownRules(family);
      expect(apply(all)).toBe(0);
      expect(apply(notIke)).toBe(0);
      expect(shownRules(family)).toEqual(before);
      run("ip", `-${family}`, "rule", "del", ...words);
      expect(apply(all)).toBe(1);
      expect(apply()).toBe(1);
    });

    test.each([
      ["for marked packets only", ["fwmark", "0x42", "lookup", "220", "pref", "220"]],
      ["for packets from one link", ["iif", "uplink", "lookup", "220", "pref", "219"]],
      ["behind the main table", ["lookup", "220", "pref", "32900"]],
    ])("are made beside a rule %s", (_, words) => {
      run("ip", `-${family}`, "rule", "add", ...words);
      expect(apply(all)).toBe(1);
      expect(apply(all)).toBe(0);
      expect(shownRules(family)).toHaveLength(2);
      expect(apply()).toBe(1);
      run("ip", `-${family}`, "rule", "del", ...words);
    });
  });

  describe.each([4, 6] as const)("the way over IPv%i", (family) => {
    const { own, gateway, other } = NETS[family];
    const somewhere = ip(family === 4 ? "203.0.113.5" : "2001:db8::5");

    test("is what ip route get says", () => {
      const [oracle] = JSON.parse(run("ip", "-json", "route", "get", somewhere)) as readonly IpRoute[];
      expect([oracle?.gateway, oracle?.dev, oracle?.prefsrc]).toEqual([gateway, "uplink", own]);
      expect(lookUpUplink(socket, somewhere)).toMatchObject({
        gateway,
        link: { name: "uplink" },
        source: own,
        mtu: 1500,
      });
      expect(lookUpUplink(socket, ip(other))).toMatchObject({ link: { name: "uplink" }, source: own });
      expect(lookUpUplink(socket, ip(other))?.gateway).toBeUndefined();
    });

    test("leads past the table of tunnels for charon's own packets", () => {
      const bits = family === 4 ? 32 : 128;
      const wanted: WantedRoute = {
        kind: "unicast",
        destination: prefix(`${somewhere}/${bits}`),
        linkIndex: uplink,
        mtu: 1300,
      };
      table.apply([wanted]);
      run("ip", `-${family}`, "rule", "add", "not", "from", "all", "fwmark", "0x42", "lookup", "220", "pref", "220");
      expect(lookUpUplink(socket, somewhere)).toMatchObject({ gateway: undefined, mtu: 1300 });
      expect(lookUpUplink(socket, somewhere, IKE_MARK)).toMatchObject({ gateway, mtu: 1500 });
      run("ip", `-${family}`, "rule", "del", "pref", "220");
      table.apply([]);
    });

    test("is none where there is none, or where a route says so", () => {
      expect(lookUpUplink(socket, ip(own))).toBeUndefined();
      const words = [`${somewhere}/${family === 4 ? 32 : 128}`];
      for (const kind of ["unreachable", "blackhole", "prohibit"]) {
        run("ip", `-${family}`, "route", "add", kind, ...words);
        expect(lookUpUplink(socket, somewhere)).toBeUndefined();
        run("ip", `-${family}`, "route", "del", kind, ...words);
      }
    });
  });

  test("changes by others are reported, and ours are not", async () => {
    // The kernel tells of a carrier up to a second after it is there.
    await waitFor(
      "links that are up",
      () => run("ip", "-json", "link", "show", "type", "veth").match(/"operstate":"UP"/g)?.length === 2,
    );
    const seen: RoutingChange[] = [];
    const watch = await watchRouting(
      socket,
      (change) => seen.push(change),
      (error) => {
        throw error;
      },
    );
    table.apply([
      { kind: "unreachable", destination: podPrefix(4, 1) },
      { kind: "unreachable", destination: podPrefix(6, 1) },
    ]);
    run("ip", "route", "add", "10.99.0.0/16", "via", NETS[4].gateway);
    await waitFor("the main table", () => seen.some(({ tables }) => tables.has(254)));
    expect(seen.some(({ tables }) => tables.has(POD_ROUTES_TABLE))).toBeFalse();
    run("ip", "-6", "route", "flush", "table", "220");
    await waitFor("the table of tunnels", () => seen.some(({ tables }) => tables.has(POD_ROUTES_TABLE)));
    expect(seen.some(({ rules }) => rules)).toBeFalse();
    run("ip", "rule", "add", "lookup", "221", "pref", "500");
    await waitFor("a rule", () => seen.some(({ rules }) => rules));
    run("ip", "rule", "del", "pref", "500");
    // The kernel may have a late word about a carrier, which is no word about these.
    expect(seen.some(({ links, tables, rules }) => links && (tables.size > 0 || rules))).toBeFalse();
    run("ip", "link", "set", "uplink", "mtu", "1480");
    await waitFor("a link", () => seen.some(({ links, linkIndexes }) => links && linkIndexes.has(uplink)));
    const { length } = seen;
    run("ip", "address", "add", "10.98.0.1/32", "dev", "lo");
    await waitFor("an address", () => seen.slice(length).some(({ linkIndexes }) => linkIndexes.has(1)));
    run("ip", "address", "del", "10.98.0.1/32", "dev", "lo");
    watch.close();
    run("ip", "link", "set", "uplink", "mtu", "1500");
    table.apply([]);
  });
});

/** @returns ends the watch, and gives what `ip monitor` has printed since */
function watchRoutes(family: Family): () => string {
  const file = `/run/netns/monitor-${crypto.randomUUID()}`;
  const monitor = Bun.spawn(["ip", `-${family}`, "monitor", "route", "rule"], {
    stdout: Bun.file(file),
    stderr: "ignore",
  });
  const marker = family === 4 ? "10.255.255.0/24" : "fdff:ff::/64";
  let made = 0;
  const untilPrinted = () => {
    // Nothing is told of a route that was there before: each is another one.
    for (const first = made + 1; ; ) {
      run("ip", `-${family}`, "route", "add", "unreachable", marker, "table", "999", "metric", String(++made));
      const text = run("cat", file);
      for (let metric = first; metric <= made; metric++) if (text.includes(` metric ${metric} `)) return;
    }
  };
  untilPrinted();
  return () => {
    untilPrinted();
    monitor.kill();
    run("ip", `-${family}`, "route", "flush", "table", "999");
    const lines = run("cat", file).split("\n");
    return lines.filter((line) => !line.includes(marker)).join("\n");
  };
}
