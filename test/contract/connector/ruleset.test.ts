import { afterEach, describe, expect, test } from "bun:test";
import { planConnectorElements, planConnectorTable } from "../../../cloud/connector/ruleset.ts";
import { Nftables } from "../../../src/linux/nftables.ts";
import { KeptTable } from "../../../src/linux/nftables-table.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip, prefix } from "../../support/network-objects.ts";

const SETS = {
  localPods: [prefix("10.244.1.0/24")],
  localNodes: [prefix("10.0.0.1/32")],
  remotePods: [prefix("10.1.7.0/24"), prefix("10.1.8.0/24")],
  remoteNodes: [prefix("192.168.9.7/32")],
  tunnelledPods: [prefix("10.1.7.0/24")],
  tunnelledNodes: [],
};

inNamespace(import.meta.path, () => {
  const nft = new Nftables();
  const table = () => new KeptTable(nft);
  const chain = (name: string) =>
    run("nft", "list", "chain", "inet", "selvedge-fabric", name)
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "" && !/^(table|chain|\}|type)/.test(line));
  afterEach(() => {
    run("nft", "flush", "ruleset");
  });

  describe("a connector's table, as nft lists it", () => {
    test("translates addresses as FabEdge's connector does, before anybody else", () => {
      table().keep(planConnectorTable([ip("10.0.0.1")]), planConnectorElements(SETS));
      expect(chain("postrouting").filter((line) => !line.includes("ip6"))).toEqual([
        "meta mark & 0x00004000 == 0x00004000 ip daddr @remote-pods snat ip to 10.0.0.1",
        "ip saddr @local-pods ip daddr @remote-pods snat ip to ip saddr",
        "ip saddr @remote-pods ip daddr @local-pods snat ip to ip saddr",
        "ip saddr @local-pods ip daddr @remote-nodes snat ip to ip saddr",
        "ip saddr @remote-pods ip daddr @local-nodes masquerade fully-random",
        "ip saddr @remote-nodes ip daddr @local-pods masquerade fully-random",
      ]);
      expect(run("nft", "list", "chain", "inet", "selvedge-fabric", "postrouting")).toContain("priority srcnat - 10");
    });

    test("lets what is behind a tunnel of its own leave encrypted or not at all", () => {
      table().keep(planConnectorTable([]), planConnectorElements(SETS));
      expect(chain("guard").filter((line) => !line.includes("ip6"))).toEqual([
        'oifname "lo" return',
        'oifname "ipsec0" return',
        "ip daddr @local-pods return",
        "ip daddr @tunnelled-pods goto clear",
        "ip saddr @local-pods ip daddr @tunnelled-nodes goto clear",
      ]);
      expect(chain("clear")).toEqual(["rt ipsec exists return", "counter packets 0 bytes 0 drop"]);
      const listed = run("nft", "list", "set", "inet", "selvedge-fabric", "tunnelled-pods");
      expect(listed).toContain("elements = { 10.1.7.0/24 }");
    });

    test("is left alone when nothing is new, and mended when somebody else changes it", () => {
      const [spec, elements] = [planConnectorTable([ip("10.0.0.1")]), planConnectorElements(SETS)];
      expect(table().keep(spec, elements)).toBe(true);
      expect(table().keep(spec, elements)).toBe(false);
      run("nft", "flush", "chain", "inet", "selvedge-fabric", "postrouting");
      expect(table().keep(spec, elements)).toBe(true);
      expect(chain("postrouting").length).toBeGreaterThan(0);
    });
  });

  test("a translation to a packet's own address keeps others from masquerading it", () => {
    // 192.0.2.1 is the node's own, and the only address here that answers.
    run("ip", "address", "add", "10.244.1.1/32", "dev", "lo");
    run("ip", "address", "add", "10.1.7.1/32", "dev", "lo");
    run("ip", "address", "add", "192.0.2.1/32", "dev", "lo");
    const masquerades = `table ip other {
      chain out { type nat hook postrouting priority srcnat; ip daddr 10.1.7.1 snat to 192.0.2.1; }
      chain seen { type filter hook input priority 0; ip saddr 192.0.2.1 counter; ip saddr 10.244.1.1 counter; }
    }`;
    Bun.spawnSync(["nft", "-f", "-"], { stdin: Buffer.from(masquerades) });
    const ping = () => run("ping", "-c", "1", "-W", "1", "-I", "10.244.1.1", "10.1.7.1");
    const seen = () =>
      [...run("nft", "list", "chain", "ip", "other", "seen").matchAll(/counter packets (\d+)/g)].map(([, n]) =>
        Number(n),
      );
    ping();
    const [translated = 0] = seen();
    expect(translated).toBeGreaterThan(0);
    table().keep(planConnectorTable([]), planConnectorElements(SETS));
    ping();
    expect(seen()[0]).toBe(translated);
  });
});
