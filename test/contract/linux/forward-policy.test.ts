import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { findDroppingForwards } from "../../../src/linux/forward-policy.ts";
import { Nftables } from "../../../src/linux/nftables.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";

inNamespace(import.meta.path, () => {
  let nft: Nftables;
  beforeAll(() => {
    nft = new Nftables();
  });
  afterAll(() => nft.close());
  afterEach(() => run("nft", "flush", "ruleset"));

  const dropping = () => findDroppingForwards(nft);
  /** @returns whether this kernel still has the older firewall */
  const legacy = (...words: readonly string[]) => Bun.spawnSync([...words]).exitCode === 0;

  test("looking makes no table of the older firewall", () => {
    expect(dropping()).toEqual([]);
    expect(run("sh", "-c", "cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null; true")).toBe("");
  });

  test("a policy of iptables over nftables is seen, and seen to go", () => {
    run("iptables-nft", "-P", "FORWARD", "DROP");
    run("ip6tables-nft", "-P", "FORWARD", "DROP");
    expect(dropping()).toEqual(["ip filter FORWARD", "ip6 filter FORWARD"]);
    run("iptables-nft", "-P", "FORWARD", "ACCEPT");
    run("ip6tables-nft", "-P", "FORWARD", "ACCEPT");
    expect(dropping()).toEqual([]);
  });

  test("a policy of iptables-legacy is seen, whatever rules are before it, and seen to go", () => {
    for (const [program, seen] of [
      ["iptables-legacy", "iptables-legacy filter FORWARD"],
      ["ip6tables-legacy", "ip6tables-legacy filter FORWARD"],
    ] as const) {
      const has = legacy(program, "-P", "FORWARD", "DROP");
      expect(dropping()).toEqual(has ? [seen] : []);
      legacy(program, "-A", "FORWARD", "-i", "docker0", "-m", "comment", "--comment", "one", "-j", "ACCEPT");
      legacy(program, "-N", "OTHER");
      legacy(program, "-A", "OUTPUT", "-j", "OTHER");
      expect(dropping()).toEqual(has ? [seen] : []);
      legacy(program, "-P", "FORWARD", "ACCEPT");
      legacy(program, "-P", "INPUT", "DROP");
      expect(dropping()).toEqual([]);
    }
  });

  test("a last rule that refuses the rest is seen, as firewalld has it, and one with a condition is not", () => {
    const chain = (last: string) =>
      run(
        "nft",
        `table inet firewalld {
          chain filter_FORWARD {
            type filter hook forward priority filter + 10; policy accept;
            ct state established,related accept
            ${last}
          }
          chain filter_INPUT { type filter hook input priority filter + 10; reject; }
        }`,
      );
    for (const last of [
      "reject with icmpx admin-prohibited",
      "counter drop",
      'log prefix "no" counter reject',
      "drop",
    ]) {
      chain(last);
      expect(dropping()).toEqual(["inet firewalld filter_FORWARD"]);
      run("nft", "flush", "ruleset");
    }
    for (const last of ["ct state invalid drop", 'iifname "eth0" reject', "counter accept", "counter"]) {
      chain(last);
      expect(dropping()).toEqual([]);
      run("nft", "flush", "ruleset");
    }
  });
});
