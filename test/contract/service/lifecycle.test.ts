import { afterEach, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { FALLBACK_ROUTES_LIMIT } from "../../../edge/service/fallback-routes.ts";
import { removeRuleset } from "../../../edge/service/open-nftables.ts";
import { seconds } from "../../../src/base/duration.ts";
import { SelvedgeError } from "../../../src/base/errors.ts";
import { Nftables } from "../../../src/linux/nftables.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip } from "../../support/network-objects.ts";
import {
  ask,
  buildWorld,
  endpoints,
  gone,
  listRuleset,
  PODS,
  REMOTE,
  SERVER_PORT,
  service,
  tally,
  World,
} from "./world.ts";

/** It comes in some tens of milliseconds, told by the kernel: the periodic look is later than this. */
const WITHIN = { timeout: seconds(5) };
const FOREIGN =
  "table inet foreign { set s { type ipv4_addr; elements = { 1.2.3.4 }; }; chain c { ip daddr @s counter; }; }";

inNamespace(import.meta.path, () => {
  beforeAll(buildWorld);
  afterEach(() => {
    removeRuleset(false);
    run("nft", "flush", "ruleset");
  });

  const web = service("web", { clusterIps: [ip("10.96.0.1")] });
  const both = endpoints("web", 4, [PODS.pod1.four, PODS.pod2.four]);

  function generation(): number {
    const nft = new Nftables();
    try {
      return nft.generation();
    } finally {
      nft.close();
    }
  }

  describe("a restart", () => {
    test("writes nothing when nothing changed meanwhile", async () => {
      {
        await using world = new World();
        await world.apply(web, both);
      }
      const [before, ruleset] = [generation(), listRuleset()];
      await using world = new World();
      await world.apply(web, both);
      // Trying the ruleset is a transaction for each family, which leaves nothing.
      expect(generation()).toBe(before + 2);
      expect(listRuleset()).toBe(ruleset);
    });

    test("breaks no connection and refuses none, while the agent is away and while it comes back", async () => {
      {
        await using world = new World();
        await world.apply(web, both);
      }
      const asked = ask({ from: "client", to: "10.96.0.1", port: 80, times: 400 });
      await using world = new World();
      await world.apply(web, both);
      const counts = tally(await asked);
      expect((counts["pod1"] ?? 0) + (counts["pod2"] ?? 0)).toBe(400);
    });

    test("brings what changed meanwhile, and removes what is gone", async () => {
      {
        await using world = new World();
        await world.apply(
          web,
          both,
          service("old", { clusterIps: [ip("10.96.0.9")] }),
          endpoints("old", 4, [REMOTE.four]),
        );
      }
      await using world = new World();
      await world.apply(web, endpoints("web", 4, [PODS.pod2.four]));
      expect(tally(await ask({ from: "client", to: "10.96.0.1", port: 80, times: 12 }))).toEqual({ pod2: 12 });
      expect(listRuleset()).not.toContain("10.96.0.9");
      expect(listRuleset()).not.toContain(PODS.pod1.four);
    });

    test("keeps remembered clients whose endpoint is still there, and forgets the others", async () => {
      const sticky = service("web", { clusterIps: [ip("10.96.0.1")], affinitySeconds: 100 });
      const affinity = () => run("nft", "list", "map", "ip", "selvedge", "affinity");
      {
        await using world = new World();
        await world.apply(sticky, endpoints("web", 4, [PODS.pod1.four]));
        await ask({ from: "client", to: "10.96.0.1", port: 80 });
        expect(affinity()).toContain(`${PODS.pod1.four} . ${SERVER_PORT}`);
      }
      {
        await using world = new World();
        await world.apply(sticky, both);
        expect(affinity()).toContain(`${PODS.pod1.four} . ${SERVER_PORT}`);
      }
      await using world = new World();
      await world.apply(sticky, endpoints("web", 4, [PODS.pod2.four]));
      expect(affinity()).not.toContain(PODS.pod1.four);
    });
  });

  describe("a resync", () => {
    test("writes nothing when nothing differs, also after others wrote elsewhere", async () => {
      await using world = new World();
      await world.apply(web, both);
      const before = generation();
      await world.proxy.resync();
      expect(generation()).toBe(before);
      run("nft", FOREIGN);
      const after = generation();
      await world.proxy.resync();
      expect(generation()).toBe(after);
      expect(listRuleset()).toContain("table inet foreign");
    });

    test("removes the chains that nothing leads to any more", async () => {
      await using world = new World();
      await world.apply(web, both);
      await world.apply(endpoints("web", 4, [PODS.pod1.four]));
      await world.proxy.resync();
      expect(listRuleset()).toContain("chain lb-1 ");
      expect(listRuleset()).not.toContain("chain lb-2 ");
      expect(tally(await ask({ from: "client", to: "10.96.0.1", port: 80, times: 4 }))).toEqual({ pod1: 4 });
    });
  });

  describe("when another program", () => {
    test.each([
      ["flushes the whole ruleset", "flush ruleset"],
      ["deletes our table", "delete table ip selvedge"],
      ["flushes our chains", "flush table ip selvedge"],
      ["deletes an element", "delete element ip selvedge services { 10.96.0.1 . tcp . 80 }"],
      ["adds an element", "add element ip selvedge cluster-ips { 192.168.50.2 }"],
      ["adds a rule", "add rule ip selvedge dispatch drop"],
      ["adds a chain", "add chain ip selvedge mine"],
      ["replaces a rule", "replace rule ip selvedge firewall handle HANDLE accept"],
    ])("%s, it is put right at once", async (_, command) => {
      await using world = new World();
      await world.apply(web, both);
      const before = listRuleset();
      const handle = /drop # handle (\d+)/.exec(run("nft", "-a", "list", "chain", "ip", "selvedge", "firewall"))?.[1];
      run("nft", command.replace("HANDLE", handle ?? ""));
      expect(listRuleset()).not.toBe(before);
      await waitFor("the ruleset as it was", () => sorted(listRuleset()) === sorted(before), WITHIN);
      expect(Object.values(tally(await ask({ from: "client", to: "10.96.0.1", port: 80 })))).toEqual([1]);
    });

    test("has tables of its own, they stay as they are through changes, repair and cleanup", async () => {
      run("nft", FOREIGN);
      const foreign = () => run("nft", "-a", "list", "table", "inet", "foreign");
      const before = foreign();
      await using world = new World();
      await world.apply(web, both);
      await world.apply(endpoints("web", 4, [REMOTE.four]));
      run("nft", "delete", "table", "ip", "selvedge");
      await waitFor("our table again", () => listRuleset().includes("table ip selvedge"));
      expect(foreign()).toBe(before);
      removeRuleset(false);
      expect(foreign()).toBe(before);
    });

    test("translates before us, its connections are left alone", async () => {
      run(
        "nft",
        `table ip other { chain p { type nat hook prerouting priority dstnat - 5; tcp dport 9000 dnat to ${PODS.pod1.four}:${SERVER_PORT}; }; }`,
      );
      await using world = new World();
      await world.apply(
        service("web", {
          type: "NodePort",
          clusterIps: [ip("10.96.0.1")],
          ports: [{ name: "http", protocol: "TCP", port: 80, nodePort: 9000 }],
        }),
        endpoints("web", 4, [REMOTE.four]),
      );
      expect(await ask({ from: "client", to: "192.168.50.1", port: 9000 })).toEqual(["pod1 192.168.50.2"]);
    });
  });

  describe("a change that the kernel refuses", () => {
    test("is followed by one look at everything, and the services are right after it", async () => {
      await using world = new World();
      await world.apply(web, both);
      // Behind our back, and not yet noticed: the difference that is written next does not fit any more.
      run("nft", "delete element ip selvedge endpoints { 10.96.0.1 . tcp . 80 . 1 }");
      await world.apply(endpoints("web", 4, [PODS.pod1.four]));
      expect(tally(await ask({ from: "client", to: "10.96.0.1", port: 80, times: 4 }))).toEqual({ pod1: 4 });
      expect(world.health.list()).toEqual([]);
    });

    test("is made by the next attempt, with the routes to its services", async () => {
      await using world = new World();
      await world.apply(web, both);
      const commit = spyOn(Nftables.prototype, "commit").mockImplementation(() => {
        throw new SelvedgeError("Cannot do it", { code: "ENOBUFS", blame: "host", retry: "later" });
      });
      try {
        const far = service("far", { clusterIps: [ip("10.97.0.1")] });
        await expect(world.apply(far, endpoints("far", 4, [PODS.pod1.four]))).rejects.toThrow("Cannot do it");
      } finally {
        commit.mockRestore();
      }
      await world.proxy.resync();
      expect(run("ip", "route", "show", "table", "default")).toContain("10.97.0.0/16");
      expect(tally(await ask({ from: "node", to: "10.97.0.1", port: 80 }))).toEqual({ pod1: 1 });
    });

    test("makes the clients of endpoints that went with it forget them all the same", async () => {
      await using world = new World();
      await world.apply(
        service("web", { clusterIps: [ip("10.96.0.1")], affinitySeconds: 100 }),
        endpoints("web", 4, [PODS.pod2.four]),
      );
      expect(tally(await ask({ from: "client", to: "10.96.0.1", port: 80 }))).toEqual({ pod2: 1 });
      run("nft", "delete element ip selvedge endpoints { 10.96.0.1 . tcp . 80 . 0 }");
      await world.apply(endpoints("web", 4, [PODS.pod1.four]));
      expect(tally(await ask({ from: "client", to: "10.96.0.1", port: 80 }))).toEqual({ pod1: 1 });
    });
  });

  test("external addresses beyond the bound on routes are told, until they are fewer", async () => {
    await using world = new World();
    const addresses = Array.from({ length: FALLBACK_ROUTES_LIMIT }, (_, i) => ip(`203.0.${100 + (i >> 8)}.${i & 255}`));
    const codes = () => world.health.list().map((condition) => condition.code);
    await world.apply(service("web", { clusterIps: [ip("10.96.0.1")], externalIps: addresses }), both);
    expect(codes()).toEqual(["SERVICE_ROUTES_MISSING"]);
    await world.apply(endpoints("web", 4, [PODS.pod1.four]));
    expect(codes()).toEqual(["SERVICE_ROUTES_MISSING"]);
    expect(tally(await ask({ from: "client", to: "203.0.103.255", port: 80 }))).toEqual({ pod1: 1 });
    await world.apply(service("web", { clusterIps: [ip("10.96.0.1")], externalIps: addresses.slice(1) }));
    expect(codes()).toEqual([]);
  });

  describe("UDP clients that keep their port", () => {
    const ports = [{ name: "http", protocol: "UDP" as const, port: 53, nodePort: 30053 }];
    const dns = service("dns", { type: "NodePort", clusterIps: [ip("10.96.0.10")], ports });
    const question = { from: "client", protocol: "udp", port: 53, to: "10.96.0.10", sourcePort: 5000 } as const;

    test.each([
      ["the service address", "10.96.0.10", 53],
      ["the node port", "192.168.50.1", 30053],
    ])("are moved when their endpoint goes, on %s", async (_, to, port) => {
      await using world = new World();
      await world.apply(dns, endpoints("dns", 4, [PODS.pod1.four], "UDP"));
      expect(tally(await ask({ ...question, to, port }))).toEqual({ pod1: 1 });
      await world.apply(endpoints("dns", 4, [PODS.pod2.four], "UDP"));
      expect(tally(await ask({ ...question, to, port }))).toEqual({ pod2: 1 });
    });

    test.each([
      ["the service address", "10.96.0.10", 53],
      ["the node port", "192.168.50.1", 30053],
    ])("stay with an endpoint that terminates for as long as it serves, on %s", async (_, to, port) => {
      const asked = { ...question, to, port, sourcePort: 5001 };
      const leaving = { at: PODS.pod1.four, ready: false, serving: true, terminating: true };
      await using world = new World();
      await world.apply(dns, endpoints("dns", 4, [PODS.pod1.four], "UDP"));
      expect(tally(await ask(asked))).toEqual({ pod1: 1 });
      await world.apply(endpoints("dns", 4, [leaving, PODS.pod2.four], "UDP"));
      expect(tally(await ask(asked))).toEqual({ pod1: 1 });
      expect(tally(await ask({ ...asked, sourcePort: 5002 }))).toEqual({ pod2: 1 });
      await world.apply(endpoints("dns", 4, [{ ...leaving, serving: false }, PODS.pod2.four], "UDP"));
      expect(tally(await ask(asked))).toEqual({ pod2: 1 });
    });

    test("are served once there is a first endpoint, though they asked before", async () => {
      // Before the service is known here, its packets go where routes lead, and are remembered: a rule about
      // connections makes the kernel track them.
      run("nft", "table ip tracked { chain c { type filter hook forward priority 0; ct state new accept; }; }");
      run("ip", "route", "add", "10.96.0.0/16", "dev", "wan");
      expect(await ask(question)).toEqual(["TIMEOUT"]);
      run("ip", "route", "delete", "10.96.0.0/16", "dev", "wan");
      expect(run("conntrack", "-L", "-p", "udp")).toContain("dst=10.96.0.10");
      await using world = new World();
      await world.apply(dns, endpoints("dns", 4, [PODS.pod1.four], "UDP"));
      expect(tally(await ask(question))).toEqual({ pod1: 1 });
    });

    test("are served on a node port once the service is there, though the node refused them before", async () => {
      run("nft", "table ip tracked { chain c { type filter hook input priority 0; ct state new accept; }; }");
      const asked = { ...question, to: "192.168.50.1", port: 30053, sourcePort: 5003 };
      expect(await ask(asked)).toEqual(["ECONNREFUSED"]);
      expect(run("conntrack", "-L", "-p", "udp")).toContain("dport=30053");
      await using world = new World();
      await world.apply(dns, endpoints("dns", 4, [PODS.pod1.four], "UDP"));
      expect(tally(await ask(asked))).toEqual({ pod1: 1 });
    });
  });

  describe("cleanup", () => {
    test("lists and removes exactly what is ours, without an agent", async () => {
      run("nft", FOREIGN);
      const rules = run("ip", "rule");
      const foreign = listRuleset();
      {
        await using world = new World();
        await world.apply(service("web", { clusterIps: [ip("10.96.0.1"), ip("fd10::1")] }), both);
      }
      const wanted = [
        "nftables table ip selvedge",
        "nftables table ip6 selvedge",
        "IPv6 rule 32800 to table 1094",
        "route 10.96.0.0/16 in table 253",
        "route fd10::/112 in table 1094",
      ];
      expect(removeRuleset(true)).toEqual(wanted);
      expect(listRuleset()).toContain("table ip selvedge");
      expect(removeRuleset(false)).toEqual(wanted);
      expect(listRuleset()).toBe(foreign);
      expect(run("ip", "rule")).toBe(rules);
      expect(removeRuleset(false)).toEqual([]);
    });
  });

  test("a service address that two services claim goes to the older one, and to the other when that is gone", async () => {
    await using world = new World();
    await world.apply(
      service("new", { clusterIps: [ip("10.96.0.1")], created: "2026-02-01T00:00:00Z" }),
      endpoints("new", 4, [PODS.pod1.four]),
      service("old", { clusterIps: [ip("10.96.0.1")], created: "2026-01-01T00:00:00Z" }),
      endpoints("old", 4, [PODS.pod2.four]),
    );
    expect(tally(await ask({ from: "client", to: "10.96.0.1", port: 80 }))).toEqual({ pod2: 1 });
    expect(world.health.list().map((c) => c.code)).toEqual(["SERVICE_CONFLICT"]);
    await world.apply(gone("old"));
    expect(tally(await ask({ from: "client", to: "10.96.0.1", port: 80 }))).toEqual({ pod1: 1 });
    expect(world.health.list()).toEqual([]);
  });
});

/** The order of elements in a hash table is nobody's promise. */
function sorted(ruleset: string): string {
  return ruleset
    .replace(/elements = \{ ([^}]*) \}/g, (_, list: string) => list.split(/,\s*/).sort().join(", "))
    .split(/(?=^(?:table|\t(?:chain|set|map)) )/m)
    .sort()
    .join("");
}
