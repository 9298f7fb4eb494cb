import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Prefix } from "../../../src/base/ip.ts";
import { Nftables } from "../../../src/linux/nftables.ts";
import { KeptTable, removeTable, type TableElements, type TableSpec } from "../../../src/linux/nftables-table.ts";
import type { SetElement } from "../../../src/wire/nftables-element.ts";
import { prefixElements } from "../../../src/wire/nftables-range.ts";
import {
  accept,
  clampSegments,
  counter,
  drop,
  jump,
  masquerade,
  matchAddress,
  matchEncrypted,
  matchEstablished,
  matchFamily,
  matchLink,
  matchPort,
  matchProtocol,
  returnToCaller,
} from "../../../src/wire/nftables-statement.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { prefix } from "../../support/network-objects.ts";

const SPEC: TableSpec = {
  family: "inet",
  name: "kept",
  comment: "Kept by a test",
  sets: [
    { name: "near", key: ["ipv4_addr"], interval: true },
    { name: "far", key: ["ipv6_addr"], interval: true },
    { name: "links", key: ["iface_index"] },
  ],
  chains: [
    {
      name: "leaving",
      rules: [
        [...matchLink("oifname", "ipsec0"), returnToCaller],
        [...matchEncrypted(), returnToCaller],
        [counter, drop],
      ],
    },
    {
      name: "forward",
      hook: { type: "filter", hook: "forward", priority: 0 },
      rules: [
        [...matchFamily(4), ...matchAddress(4, "daddr", "near"), jump("leaving")],
        [...matchFamily(6), ...matchAddress(6, "saddr", "far", true), jump("leaving")],
        clampSegments(),
        [...matchEstablished(), accept],
      ],
    },
    {
      name: "input",
      hook: { type: "filter", hook: "input", priority: -10 },
      rules: [
        [...matchPort("udp", "dport", 4500), accept],
        [...matchProtocol(50), accept],
        [...matchLink("iifname", "eth0", false), accept],
      ],
    },
    {
      name: "postrouting",
      hook: { type: "nat", hook: "postrouting", priority: 100 },
      rules: [[...matchFamily(4), ...matchAddress(4, "saddr", "near"), masquerade]],
    },
  ],
};

const LISTING = `table inet kept {
	comment "Kept by a test"
	set near {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/24, 10.1.0.0/16 }
	}

	set far {
		type ipv6_addr
		flags interval
		elements = { fd00::/16 }
	}

	set links {
		type iface_index
	}

	chain leaving {
		oifname "ipsec0" return
		rt ipsec exists return
		counter packets 0 bytes 0 drop
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ip daddr @near jump leaving
		ip6 saddr != @far jump leaving
		tcp flags syn / syn,rst tcp option maxseg size set rt mtu
		ct state established,related accept
	}

	chain input {
		type filter hook input priority filter - 10; policy accept;
		udp dport 4500 accept
		meta l4proto esp accept
		iifname != "eth0" accept
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr @near masquerade fully-random
	}
}
`;

function elements(near: readonly string[], far: readonly string[] = ["fd00::/16"]): TableElements {
  const of = (texts: readonly string[], family: 4 | 6): readonly SetElement[] =>
    prefixElements(
      texts.map((text): Prefix => prefix(text)),
      family,
    );
  return new Map([
    ["near", of(near, 4)],
    ["far", of(far, 6)],
  ]);
}

inNamespace(import.meta.path, () => {
  const nft = new Nftables();
  const both = elements(["10.0.0.0/24", "10.1.0.0/16"]);
  let table: KeptTable;
  beforeEach(() => {
    table = new KeptTable(nft);
    table.keep(SPEC, both);
  });
  afterEach(() => {
    run("nft", "flush", "ruleset");
  });
  const listing = () => run("nft", "list", "table", "inet", "kept");
  const nearElements = () => /near \{[^}]*elements = \{([^}]*)\}/.exec(listing())?.[1]?.replaceAll(/\s+/g, " ").trim();

  describe("a kept table", () => {
    test("reads in nft's own words", () => {
      expect(listing()).toBe(LISTING);
    });

    test("is left alone when it is as planned, also by whoever keeps it next", () => {
      const generation = nft.generation();
      expect(table.keep(SPEC, both)).toBe(false);
      expect(new KeptTable(nft).keep(SPEC, both)).toBe(false);
      expect(nft.generation()).toBe(generation);
    });

    test("gets ranges that begin where others begin, end where others end, or touch them", () => {
      for (const near of [
        ["10.0.0.0/16", "10.1.0.0/16"],
        ["10.0.0.0/24", "10.0.1.0/24"],
        ["0.0.0.0/0"],
        ["255.255.255.0/24", "0.0.0.0/8"],
        ["10.0.0.0/25"],
      ]) {
        table.keep(SPEC, elements(near));
        const generation = nft.generation();
        expect(new KeptTable(nft).keep(SPEC, elements(near))).toBe(false);
        expect(nft.generation()).toBe(generation);
      }
      expect(nearElements()).toBe("10.0.0.0/25");
    });

    test("gets elements back, and loses foreign ones", () => {
      run("nft", "delete element inet kept near { 10.1.0.0/16 }; add element inet kept near { 192.168.0.0/16 }");
      expect(table.keep(SPEC, both)).toBe(true);
      expect(listing()).toBe(LISTING);
    });

    test("is made anew when a rule, a chain's place or the table itself is not as planned", () => {
      for (const command of [
        "insert rule inet kept input accept",
        "flush chain inet kept leaving",
        "add chain inet kept more",
        "delete chain inet kept input; add chain inet kept input { type filter hook input priority 7; }; add rule inet kept input udp dport 4500 accept; add rule inet kept input meta l4proto esp accept; add rule inet kept input iifname != eth0 accept",
        "delete table inet kept",
      ]) {
        run("nft", command);
        expect(table.keep(SPEC, both)).toBe(true);
        expect(run("nft", "list", "chain", "inet", "kept", "input")).toContain("priority filter - 10");
        expect(listing()).toBe(LISTING);
      }
    });

    test("goes alone", () => {
      run("nft", "add table inet other");
      expect(removeTable(nft, "inet", "kept", true)).toBe(true);
      expect(run("nft", "list", "tables")).toContain("inet kept");
      expect(removeTable(nft, "inet", "kept", false)).toBe(true);
      expect(run("nft", "list", "tables").trim()).toBe("table inet other");
      expect(removeTable(nft, "inet", "kept", false)).toBe(false);
    });
  });

  test("foreign base chains are listed with their place and policy", () => {
    run(
      "nft",
      "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }",
    );
    const chain = nft.allChains().find(({ table }) => table === "filter");
    expect(chain).toEqual({
      family: 4,
      table: "filter",
      name: "FORWARD",
      base: { type: "filter", hook: 2, priority: 0, dropsByDefault: true },
    });
  });
});
