import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { type ForwardFlow, planForwardFlows } from "../../../src/linux/forward-flow.ts";
import { CHAINS_READ_MAX, findDroppingForwards } from "../../../src/linux/forward-policy.ts";
import { Nftables } from "../../../src/linux/nftables.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { prefix } from "../../support/network-objects.ts";

const PODS = { link: "br-fabedge", prefixes: ["10.244.7.0/24", "fd00:7::/64"].map(prefix) };
const OTHERS = { prefixes: ["10.244.8.0/24", "10.244.9.0/24", "fd00:8::/64"].map(prefix) };
const FLOWS = planForwardFlows(PODS, OTHERS);

inNamespace(import.meta.path, () => {
  let nft: Nftables;
  beforeAll(() => {
    nft = new Nftables();
  });
  afterAll(() => nft.close());
  afterEach(() => run("nft", "flush", "ruleset"));

  const dropping = (flows: readonly ForwardFlow[] = FLOWS) => findDroppingForwards(nft, () => flows);
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
      'ip saddr 10.0.0.0/8 iifname "eth1" accept; reject',
    ]) {
      chain(last);
      expect(dropping()).toEqual(["inet firewalld filter_FORWARD"]);
      run("nft", "flush", "ruleset");
    }
    for (const last of [
      'iifname vmap { "eth0" : accept }; ct state invalid drop',
      "ct state invalid drop",
      'iifname "eth0" reject',
      "counter accept",
      "counter",
    ]) {
      chain(last);
      expect(dropping()).toEqual([]);
      run("nft", "flush", "ruleset");
    }
  });

  /** Both families' programs, which have the same chains. */
  const FIREWALLS = [
    ["iptables-nft", "ip filter FORWARD"],
    ["ip6tables-nft", "ip6 filter FORWARD"],
    ["iptables-legacy", "iptables-legacy filter FORWARD"],
    ["ip6tables-legacy", "ip6tables-legacy filter FORWARD"],
  ] as const;

  describe.each(FIREWALLS)("what %s lets pass", (program, name) => {
    const [pods, all] = program.startsWith("ip6") ? ["fd00:7::/64", "fd00::/16"] : ["10.244.7.0/24", "10.244.0.0/16"];
    const rule = (...words: readonly string[]) => run(program, ...words);
    const passes = () => !dropping().includes(name);
    /** As docker begins, all but its own networks' rules. @returns whether this kernel has such a firewall */
    const begin = (): boolean => {
      if (!legacy(program, "-P", "FORWARD", "DROP")) return false;
      rule("-N", "DOCKER-USER");
      rule("-N", "DOCKER-ISOLATION-STAGE-1");
      rule("-A", "FORWARD", "-j", "DOCKER-USER");
      rule("-A", "FORWARD", "-j", "DOCKER-ISOLATION-STAGE-1");
      rule("-A", "FORWARD", "-o", "docker0", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT");
      rule("-A", "FORWARD", "-i", "docker0", "!", "-o", "docker0", "-j", "ACCEPT");
      rule("-A", "DOCKER-ISOLATION-STAGE-1", "-i", "docker0", "!", "-o", "docker0", "-j", "DROP");
      for (const chain of ["DOCKER-USER", "DOCKER-ISOLATION-STAGE-1"]) rule("-A", chain, "-j", "RETURN");
      expect(dropping()).toEqual([name]);
      return true;
    };
    afterEach(() => {
      for (const words of [["-P", "FORWARD", "ACCEPT"], ["-F"], ["-X"]]) legacy(program, ...words);
    });

    test("is what docs/tunnels.md says for docker, in and out", () => {
      if (!begin()) return;
      rule("-I", "DOCKER-USER", "-i", "br-fabedge", "-j", "ACCEPT");
      expect(passes()).toBe(false);
      rule("-I", "DOCKER-USER", "-o", "br-fabedge", "-j", "ACCEPT");
      expect(passes()).toBe(true);
      rule("-D", "DOCKER-USER", "-i", "br-fabedge", "-j", "ACCEPT");
      expect(passes()).toBe(false);
      rule("-I", "DOCKER-USER", "-i", "br-+", "-m", "comment", "--comment", "pods", "-j", "ACCEPT");
      expect(passes()).toBe(true);
      // It only counts.
      rule("-I", "DOCKER-USER", "-i", "br-fabedge");
      expect(passes()).toBe(true);
      rule("-I", "FORWARD", "!", "-o", "br-fabedge", "-i", "docker0", "-j", "DROP");
      expect(passes()).toBe(true);
      rule("-I", "FORWARD", "!", "-i", "docker0", "-j", "DROP");
      expect(passes()).toBe(false);
    });

    test("is flannel's, by the addresses of all pods", () => {
      if (!begin()) return;
      const comment = ["-m", "comment", "--comment", "flanneld forward"];
      rule("-N", "FLANNEL-FWD");
      rule("-A", "FLANNEL-FWD", "-s", all, ...comment, "-j", "ACCEPT");
      rule("-A", "FLANNEL-FWD", "-d", all, ...comment, "-j", "ACCEPT");
      expect(passes()).toBe(false);
      rule("-A", "FORWARD", ...comment, "-j", "FLANNEL-FWD");
      expect(passes()).toBe(true);
    });

    test("is not another link's, nor a part of the pods, a port or a mark", () => {
      if (!begin()) return;
      const narrow = pods.replace(/\/\d+/, program.startsWith("ip6") ? "/65" : "/25");
      for (const words of [
        ["-i", "docker0"],
        ["-o", "br-fabedge0"],
        ["-o", "br-fab"],
        ["-i", "br-fabedge", "-o", "eth0"],
        ["-s", narrow],
        ["-d", narrow],
        ["-p", "tcp"],
        ["-p", "tcp", "-m", "tcp", "--dport", "80"],
        ["-m", "mark", "--mark", "0x4000/0x4000"],
        ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"],
        ["!", "-s", pods, "-i", "br-fabedge"],
        ["!", "-d", all],
      ]) {
        rule("-I", "DOCKER-USER", ...words, "-j", "ACCEPT");
        expect([words, passes()]).toEqual([words, false]);
      }
      rule("-I", "DOCKER-USER", "-s", pods, "-j", "ACCEPT");
      expect(passes()).toBe(false);
      rule("-I", "DOCKER-USER", "-d", pods, "-j", "ACCEPT");
      expect(passes()).toBe(true);
    });

    test("is not what went elsewhere before, or is refused by an extension", () => {
      if (!begin()) return;
      rule("-A", "FORWARD", "-j", "ACCEPT");
      expect(passes()).toBe(true);
      rule("-N", "AWAY");
      rule("-I", "FORWARD", "-i", "br-fabedge", "-g", "AWAY");
      expect(passes()).toBe(false);
      rule("-A", "AWAY", "-m", "limit", "--limit", "3/min", "-j", "LOG");
      rule("-A", "AWAY", "-j", "ACCEPT");
      expect(passes()).toBe(true);
      rule("-I", "AWAY", "-j", "REJECT");
      expect(passes()).toBe(false);
    });
  });

  test("a last rule of iptables-nft that rejects is seen as its policy is", () => {
    run("iptables-nft", "-A", "FORWARD", "-j", "REJECT", "--reject-with", "icmp-host-prohibited");
    expect(dropping()).toEqual(["ip filter FORWARD"]);
    run("iptables-nft", "-I", "FORWARD", "-i", "br-fabedge", "-j", "ACCEPT");
    run("iptables-nft", "-I", "FORWARD", "-o", "br-fabedge", "-j", "ACCEPT");
    expect(dropping()).toEqual([]);
  });

  test("nft's own rules let pass by links, prefixes and families, in a table of both", () => {
    const firewall = (...rules: readonly string[]) => {
      run("nft", "flush", "ruleset");
      run(
        "nft",
        `table inet own {
          chain pods {
            ${rules.join("; ")}
          }
          chain forward {
            type filter hook forward priority filter; policy drop;
            ct state vmap { established : accept, related : accept, invalid : drop }
            ct status dnat accept
            jump pods
          }
        }`,
      );
      return dropping();
    };
    const DROPPED = ["inet own forward"];
    expect(firewall('iifname "br-fabedge" accept')).toEqual(DROPPED);
    expect(firewall('iifname "br-fabedge" accept', 'oifname "br-fabedge" counter accept')).toEqual([]);
    expect(firewall('iifname "br-*" accept', 'oifname "br-*" accept')).toEqual([]);
    expect(firewall('meta nfproto ipv4 iifname "br-fabedge" accept', 'oifname "br-fabedge" accept')).toEqual(DROPPED);
    expect(firewall("ip daddr 10.244.0.0/16 accept")).toEqual(DROPPED);
    expect(firewall("ip daddr 10.244.0.0/16 accept", "ip6 daddr fd00::/16 accept")).toEqual([]);
    expect(firewall("ip saddr 10.240.0.0/12 accept", "ip6 saddr fd00::/10 accept")).toEqual([]);
    expect(firewall("ip saddr != 10.244.8.0/23 drop", "accept")).toEqual(DROPPED);
    expect(firewall("ip saddr != 10.244.0.0/16 drop", "accept")).toEqual([]);
    // What a set has is not looked at: no word of it is a word too few.
    expect(firewall('iifname { "br-fabedge", "eth0" } accept', 'oifname "br-fabedge" accept')).toEqual(DROPPED);
    expect(firewall('iifname vmap { "br-fabedge" : drop }', "accept")).toEqual(DROPPED);
  });

  test("chains are followed as far as the bound, and what is behind it is not sure", () => {
    const names = Array.from({ length: CHAINS_READ_MAX }, (_, i) => `zone${i}`);
    const chains = names.map((name) => `chain ${name} { }\n`).join("");
    const jumps = (count: number) => names.slice(0, count).map((name) => `jump ${name}\n`);
    for (const [count, told] of [
      [CHAINS_READ_MAX - 1, []],
      [CHAINS_READ_MAX, ["ip far forward"]],
    ] as const) {
      const hook = "type filter hook forward priority 0; policy drop;";
      run("nft", `table ip far { ${chains} chain forward { ${hook} ${jumps(count).join("")} accept; }\n}`);
      expect(dropping()).toEqual([...told]);
      run("nft", "flush", "ruleset");
    }
  });

  test("a return where a chain accepts what is left lets it pass, as its last rule says only of the rest", () => {
    const hook = "type filter hook forward priority 0; policy accept;";
    run("nft", `table ip own { chain forward { ${hook} ip saddr 10.244.0.0/16 return; drop; }\n}`);
    expect(dropping()).toEqual([]);
    run("nft", "insert rule ip own forward ip daddr 10.244.7.0/24 drop");
    expect(dropping()).toEqual(["ip own forward"]);
  });

  test("nobody asks for flows where nothing drops, and where there are none, nothing is dropped", () => {
    run("nft", "table inet calm { chain forward { type filter hook forward priority 0; policy accept; }\n}");
    const never = () => {
      throw new Error("asked");
    };
    expect(findDroppingForwards(nft, never)).toEqual([]);
    run("nft", "add chain inet calm forward { policy drop; }");
    expect(dropping([])).toEqual([]);
    expect(dropping()).toEqual(["inet calm forward"]);
  });
});
