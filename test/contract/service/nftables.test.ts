import { afterEach, describe, expect, test } from "bun:test";
import { probeRuleset } from "../../../edge/service/open-nftables.ts";
import { planLayout, replaceTable } from "../../../edge/service/ruleset-batch.ts";
import { errorCode, SelvedgeError } from "../../../src/base/errors.ts";
import { Log } from "../../../src/base/log.ts";
import { Nftables } from "../../../src/linux/nftables.ts";
import { NftBatch } from "../../../src/wire/nftables-batch.ts";
import { loads, registerAt } from "../../../src/wire/nftables-key.ts";
import type { SetSpec } from "../../../src/wire/nftables-set.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";

const PORTS: SetSpec = { name: "ports", key: ["inet_service"], data: ["inet_service"] };

function batch(fill: (batch: NftBatch) => void, generation?: number): NftBatch {
  const made = new NftBatch();
  made.begin(generation);
  fill(made);
  return made;
}

function failure(work: () => void): string {
  try {
    work();
  } catch (error) {
    return errorCode(error);
  }
  return "none";
}

inNamespace(import.meta.path, () => {
  const nft = new Nftables();
  afterEach(() => {
    run("nft", "flush", "ruleset");
  });

  const table = batch.bind(undefined, (b: NftBatch) => {
    b.addTable(4, "t", "");
    b.addSet(4, "t", PORTS);
    b.addElements(4, "t", PORTS, [{ key: [80], data: [8080] }]);
  });

  describe("a transaction", () => {
    test("is one step of the generation, which others' are too", () => {
      const before = nft.generation();
      nft.commit("test", table());
      expect(nft.generation()).toBe(before + 1);
      run("nft", "add table ip other");
      expect(nft.generation()).toBe(before + 2);
    });

    test("happens not at all when one message of it is refused", () => {
      nft.commit("test", table());
      const other = batch((b) => {
        b.addElements(4, "t", PORTS, [{ key: [81], data: [8081] }]);
        b.addElements(4, "t", PORTS, [{ key: [80], data: [9999] }]);
      });
      const before = run("nft", "list", "ruleset");
      expect(failure(() => nft.commit("test", other))).toBe("EEXIST");
      expect(run("nft", "list", "ruleset")).toBe(before);
    });

    test("fails with the kernel's own reason", () => {
      const gone = batch((b) => b.deleteElements(4, "nowhere", PORTS, [{ key: [80] }]));
      expect(failure(() => nft.commit("test", gone))).toBe("ENOENT");
      nft.commit("test", table());
      nft.commit(
        "test",
        batch((b) => {
          b.addChain(4, "t", "target");
          b.addChain(4, "t", "source");
          b.addRule(4, "t", "source", [{ name: "immediate", verdict: { kind: "goto", chain: "target" } }]);
        }),
      );
      expect(
        failure(() =>
          nft.commit(
            "test",
            batch((b) => b.deleteChain(4, "t", "target")),
          ),
        ),
      ).toBe("EBUSY");
    });

    test("that was planned on another state fails as a whole", () => {
      const planned = nft.generation();
      run("nft", "add table ip other");
      expect(failure(() => nft.commit("test", table(planned)))).toBe("NFT_OUTRUN");
      expect(run("nft", "list", "tables")).toBe("table ip other\n");
      expect(failure(() => nft.commit("test", table(nft.generation())))).toBe("none");
    });

    test("of many thousand elements arrives in one piece, and is read back in full", async () => {
      const elements = Array.from({ length: 60_000 }, (_, i) => ({ key: [i], data: [i] }));
      nft.commit(
        "test",
        batch((b) => {
          b.addTable(4, "t", "");
          b.addSet(4, "t", PORTS);
          b.addElements(4, "t", PORTS, elements);
        }),
      );
      const byKey = (a: { key: readonly unknown[] }, b: { key: readonly unknown[] }) =>
        Number(a.key[0]) - Number(b.key[0]);
      const read = () => nft.elements(4, "t", PORTS).toSorted(byKey);
      // A dump may miss some while the kernel still makes its hash table larger.
      await waitFor("every element", () => Bun.deepEquals(read(), elements));
    });
  });

  test("a map that rules fill and that names no size has the kernel's bound", () => {
    const clients: SetSpec = { name: "clients", key: ["ipv4_addr"], data: ["inet_service"], dynamic: {} };
    nft.commit(
      "test",
      batch((b) => {
        b.addTable(4, "t", "");
        b.addSet(4, "t", clients);
        b.addChain(4, "t", "remember");
        b.addRule(4, "t", "remember", [
          ...loads(4, ["saddr", "dport"]),
          { name: "dynset", set: "clients", key: registerAt(0), data: registerAt(1), timeoutSeconds: 60 },
        ]);
      }),
    );
    expect(run("nft", "list", "map", "ip", "t", "clients")).toContain("size 65535");
  });

  test("changes of a table are told when others make them, not when we do", async () => {
    nft.commit("test", table());
    let told = 0;
    const events = await nft.watch(
      "t",
      () => {
        told += 1;
      },
      () => {},
    );
    nft.commit(
      "test",
      batch((b) => b.deleteElements(4, "t", PORTS, [{ key: [80] }])),
    );
    run("nft", "add table ip other");
    run("nft", "add element ip t ports { 81 : 8081 }");
    await waitFor("the other's change", () => told > 0);
    expect(told).toBe(1);
    events.close();
  });

  describe("trying the ruleset", () => {
    /** A kernel that refuses what the test says. */
    class Refusing extends Nftables {
      readonly refused: RegExp;

      constructor(refused: RegExp) {
        super();
        this.refused = refused;
      }

      override commit(what: string, made: NftBatch): void {
        if (this.refused.test(what)) {
          throw new SelvedgeError("Cannot", { code: "EOPNOTSUPP", blame: "host", retry: "never" });
        }
        super.commit(what, made);
      }
    }
    const quiet = new Log(() => {}, "error");

    test("leaves nothing behind", () => {
      expect(probeRuleset(nft, quiet)).toEqual({ families: [4, 6], dnsLimited: true });
      expect(run("nft", "list", "ruleset")).toBe("");
    });

    test("finds a kernel without IPv6, and goes on with IPv4", () => {
      expect(probeRuleset(new Refusing(/IPv6/), quiet)).toEqual({ families: [4], dnsLimited: true });
    });

    test("finds a kernel without nft_limit, and goes on without a share of DNS for each client", () => {
      const said: string[] = [];
      const log = new Log(({ event }) => said.push(event), "warn");
      expect(probeRuleset(new Refusing(/IPv[46]$/), log)).toEqual({ families: [4, 6], dnsLimited: false });
      expect(said).toEqual(["service.dns_limit"]);
      const settings = { linkName: "lo", linkAddresses: [], clusterCidrs: [], dnsPort: 53, bridges: [] };
      const load = (dnsLimited: boolean) => {
        nft.commit(
          "test",
          batch((b) => replaceTable(b, planLayout(4, { ...settings, dnsLimited }), [], [])),
        );
        return run("nft", "list", "ruleset");
      };
      expect(load(true)).toContain("limit rate");
      expect(load(false)).not.toContain("limit");
    });

    test("finds a kernel that cannot, for good", () => {
      expect(failure(() => probeRuleset(new Refusing(/IPv4/), quiet))).toBe("NFT_INCOMPLETE");
    });
  });

  test("without the capability the error says which", () => {
    const script = `import { Nftables } from "${import.meta.dir}/../../../src/linux/nftables.ts"; try { new Nftables(); } catch (e) { console.log(e.code, e.hint); }`;
    const said = run("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", process.execPath, "-e", script);
    expect(said).toMatch(/^EPERM .*CAP_NET_ADMIN/);
  });
});
