import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Frontend, frontendId } from "../../../edge/service/frontend.ts";
import { FrontendRegistry } from "../../../edge/service/frontend-registry.ts";
import { NftablesApplier, type NftablesApplierOptions } from "../../../edge/service/nftables-applier.ts";
import type { RulesetSettings } from "../../../edge/service/ruleset-batch.ts";
import { SelvedgeError } from "../../../src/base/errors.ts";
import { Nftables } from "../../../src/linux/nftables.ts";
import type { NftBatch } from "../../../src/wire/nftables-batch.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip } from "../../support/network-objects.ts";
import { anyFrontend, makeBackend, makeFrontend } from "../../support/service-frontends.ts";

const SETTINGS: RulesetSettings = {
  linkName: "selvedge0",
  linkAddresses: [ip("169.254.25.10")],
  clusterCidrs: [{ address: ip("10.244.0.0"), length: 16 }],
  dnsPort: 53,
  dnsLimited: true,
  bridges: [7],
};

inNamespace(import.meta.path, () => {
  /** Counts what the kernel was asked, whether it agreed or not. */
  class CountingNftables extends Nftables {
    attempts = 0;

    override commit(what: string, batch: NftBatch): void {
      if (batch.size > 0) this.attempts += 1;
      super.commit(what, batch);
    }
  }

  function newApplier<N extends Nftables>(nft: N, onChanged: NftablesApplierOptions["onChanged"] = () => {}) {
    const applier = new NftablesApplier(nft, {
      families: [4, 6],
      settings: () => SETTINGS,
      onChanged,
      onCommit: () => {},
      now: () => performance.now(),
      onLargeCommit: () => {},
    });
    return { applier, nft };
  }

  const step = fc.tuple(
    fc.constantFrom("ns/a", "ns/b", "ns/c"),
    fc.uniqueArray(anyFrontend, { selector: frontendId, maxLength: 4 }),
  );

  test("the kernel takes any history of changes as differences, and has at the end what is wanted", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        run("nft", "flush", "ruleset");
        const registry = new FrontendRegistry();
        const { applier, nft } = newApplier(new CountingNftables());
        const all = new Map<string, readonly Frontend[]>();
        await applier.apply(new Map());
        for (const [service, frontends] of steps) {
          const changes = registry.update(service, "", frontends);
          for (const [key, list] of changes) all.set(key, list);
          nft.attempts = 0;
          await applier.apply(changes);
          // A second one would be the look at everything that follows a failure.
          expect(nft.attempts).toBeLessThan(2);
        }
        await applier.resync();
        await applier.close();

        const second = newApplier(new CountingNftables());
        await second.applier.apply(all);
        expect(second.nft.attempts).toBe(0);
        await second.applier.close();
        // nft itself has to be able to say what is there.
        expect(run("nft", "list", "ruleset")).toContain("table ip6 selvedge");
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  test("when the kernel refuses a difference, and then the next, everything is written anew", async () => {
    run("nft", "flush", "ruleset");
    class RefusingNftables extends Nftables {
      readonly refused: string[] = [];

      override commit(what: string, batch: NftBatch): void {
        if (this.refused.length < 2 && what !== "load the services") {
          this.refused.push(what);
          throw new SelvedgeError(`Cannot ${what}`, { code: "EEXIST", blame: "host", retry: "later" });
        }
        super.commit(what, batch);
      }
    }
    const nft = new RefusingNftables();
    const { applier } = newApplier(nft);
    const web = (address: string) => makeFrontend({ backends: [makeBackend(address)] });
    await applier.apply(new Map([["ns/web", [web("10.1.0.1")]]]));
    run("nft", "delete element ip selvedge services { 10.96.0.1 . tcp . 80 }");
    await applier.apply(new Map([["ns/web", [web("10.1.0.2")]]]));
    expect(nft.refused).toEqual(["change services", "write the services"]);
    const map = (name: string) => run("nft", "list", "map", "ip", "selvedge", name);
    expect(map("services")).toContain("10.96.0.1 . tcp . 80 : goto lb-1");
    expect(map("endpoints")).toContain("10.96.0.1 . tcp . 80 . 0 : 10.1.0.2 . 8080");
    await applier.close();
  });

  const FAILURE = new SelvedgeError("Cannot do it", { code: "ENOBUFS", blame: "host", retry: "later" });
  const web = (...addresses: readonly string[]) =>
    new Map([["ns/web", [makeFrontend({ protocol: "UDP", backends: addresses.map((a) => makeBackend(a)) })]]]);

  test("a first look that fails leaves the services as they are, and the next one brings them up to date", async () => {
    run("nft", "flush", "ruleset");
    const first = newApplier(new Nftables());
    await first.applier.apply(web("10.1.0.1"));
    await first.applier.close();
    class BlindNftables extends Nftables {
      blind = true;
      override tables() {
        if (this.blind) throw FAILURE;
        return super.tables();
      }
    }
    const { applier, nft } = newApplier(new BlindNftables());
    const endpoints = () => run("nft", "list", "map", "ip", "selvedge", "endpoints");
    await expect(applier.apply(web("10.1.0.1", "10.1.0.2"))).rejects.toThrow("Cannot do it");
    expect(endpoints()).toContain("10.1.0.1 . 8080");
    nft.blind = false;
    await applier.resync();
    expect(endpoints()).toContain("10.1.0.1 . 8080");
    expect(endpoints()).toContain("10.1.0.2 . 8080");
    await applier.close();
  });

  test("what vanished with a change that failed is told when a later one succeeds, and once", async () => {
    run("nft", "flush", "ruleset");
    class StubbornNftables extends Nftables {
      stubborn = false;
      override commit(what: string, batch: NftBatch): void {
        if (this.stubborn) throw FAILURE;
        super.commit(what, batch);
      }
    }
    const nft = new StubbornNftables();
    const told: string[] = [];
    const { applier } = newApplier(nft, (changed, vanished) => {
      const now = changed.map((f) => f.backends.map((b) => b.address));
      told.push(`${now} without ${vanished.map((v) => v.backend.address)}`);
    });
    await applier.apply(web("10.1.0.1", "10.1.0.2"));
    nft.stubborn = true;
    await expect(applier.apply(web("10.1.0.2"))).rejects.toThrow("Cannot do it");
    await expect(applier.apply(web("10.1.0.3"))).rejects.toThrow("Cannot do it");
    nft.stubborn = false;
    await applier.resync();
    await applier.resync();
    expect(told).toEqual(["10.1.0.1,10.1.0.2 without ", "10.1.0.3 without 10.1.0.1,10.1.0.2"]);
    await applier.close();
  });
});
