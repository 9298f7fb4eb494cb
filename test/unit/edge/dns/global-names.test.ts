import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Locality } from "../../../../src/network/global-service.ts";
import { NameTableWorld } from "../../../support/name-table-world.ts";
import { globalChange, makeGlobalService } from "../../../support/network-objects.ts";

const PARIS: Locality = { cluster: "paris", zone: "nord", region: "fr" };
const ELSEWHERE: Locality = { cluster: "rome", zone: "default", region: "default" };
const WEB = makeGlobalService("shop/web", [
  ["paris/nord/fr", "10.1.0.1 fd00:1::1"],
  ["lyon/sud/fr", "10.3.0.1"],
]);
const DB = makeGlobalService("data/db", [["lyon/sud/fr", "10.3.1.1", "db-0"]]);
const GONE = { kind: "GlobalService", value: undefined } as const;

function makeWorld({ locality = PARIS as Locality | "unheard", zone = "cluster.local" } = {}): NameTableWorld {
  const world = new NameTableWorld(undefined, zone);
  world.apply(globalChange(WEB), globalChange(DB));
  if (locality !== "unheard") world.table.setLocality(locality);
  return world;
}

describe("below global.", () => {
  const world = makeWorld();

  test.each([
    ["web.shop.svc.global", "A", "NOERROR: 10.1.0.1"],
    ["web.shop.svc.global", "AAAA", "NOERROR: fd00:1::1"],
    ["WEB.Shop.SVC.Global", "A", "NOERROR: 10.1.0.1"],
    ["db.data.svc.global", "A", "NOERROR: 10.3.1.1"],
    ["db.data.svc.global", "AAAA", "NOERROR: soa global"],
    ["web.shop.svc.global", "TXT", "NOERROR: soa global"],
    ["web.shop.svc.global", "HTTPS", "NOERROR: soa global"],
    ["web.shop.svc.global", "ANY", 'NOERROR: "RFC8482" ""'],
    ["lyon.web.shop.svc.global", "A", "NOERROR: 10.3.0.1"],
    ["Lyon.web.shop.svc.global", "A", "NOERROR: 10.3.0.1"],
    ["lyon.web.shop.svc.global", "AAAA", "NOERROR: soa global"],
    ["oslo.web.shop.svc.global", "A", "NOERROR: soa global"],
    ["db-0.lyon.db.data.svc.global", "A", "NOERROR: 10.3.1.1"],
    ["db-0.lyon.db.data.svc.global", "SRV", "NOERROR: soa global"],
    ["db-1.lyon.db.data.svc.global", "A", "NXDOMAIN: soa global"],
    ["db-0.paris.db.data.svc.global", "A", "NXDOMAIN: soa global"],
    ["db-0.paris.db.data.svc.global", "MX", "NXDOMAIN: soa global"],
    ["web-0.paris.web.shop.svc.global", "A", "NXDOMAIN: soa global"],
    ["x.db-0.lyon.db.data.svc.global", "A", "NXDOMAIN: soa global"],
    // Empty, and there, as names are below them.
    ["shop.svc.global", "A", "NOERROR: soa global"],
    ["svc.global", "A", "NOERROR: soa global"],
  ])("answers %s %s with %s", (name, type, answer) => {
    expect([world.ask(name, type), world.ask(name, type)]).toEqual([answer, answer]);
  });

  test.each([
    ["web.shop.lyon.global", "A", "NOERROR: 10.3.0.1"],
    ["web.shop.lyon.global", "AAAA", "NOERROR: soa global"],
    ["web.shop.LYON.global", "A", "NOERROR: 10.3.0.1"],
  ])("answers %s %s, as FabEdge's first names were, with %s", (name, type, answer) => {
    expect([world.ask(name, type), world.ask(name, type)]).toEqual([answer, answer]);
  });

  test.each([
    "global",
    "example.global",
    "www.example.global",
    "other.shop.svc.global",
    "web.other.svc.global",
    "other.svc.global",
    "lyon.other.shop.svc.global",
    "web.shop.oslo.global",
    "db-0.db.data.lyon.global",
    "web.shop.svcglobal",
    "web.shop.svc.xglobal",
    // One label with a dot in it is not two.
    "web\\.shop.svc.global",
    "shop/web.svc.global",
  ])("leaves %s, which nobody speaks for here, to others", (name) => {
    expect([world.ask(name, "A"), world.ask(name, "SOA")]).toEqual(["forward", "forward"]);
  });

  test("leaves everything to others where there is no such service at all", () => {
    const bare = new NameTableWorld();
    for (const name of ["web.shop.svc.global", "shop.svc.global", "svc.global", "global", "web.shop.lyon.global"])
      expect(bare.ask(name, "A")).toBe("forward");
  });

  test("a cluster domain of that name is the cluster's", () => {
    const own = makeWorld({ zone: "global" });
    expect(own.ask("v4.shop.svc.global", "A")).toBe("NOERROR: 10.96.0.11");
    expect(own.ask("db.data.svc.global", "A")).toBe("NOERROR: 10.1.1.1, 10.1.1.2, 10.1.1.3");
    expect(own.ask("lyon.web.shop.svc.global", "A")).toBe("NXDOMAIN: soa global");
  });
});

describe("a service of several clusters", () => {
  test("that changes, or goes, shows in the next answer", () => {
    const world = makeWorld();
    expect(world.ask("web.shop.svc.global", "A")).toBe("NOERROR: 10.1.0.1");
    world.apply(globalChange(makeGlobalService("shop/web", [["paris/nord/fr", "10.1.0.2"]])));
    expect(world.ask("web.shop.svc.global", "A")).toBe("NOERROR: 10.1.0.2");
    world.apply({ ...GONE, key: "shop/web" });
    expect([world.ask("web.shop.svc.global", "A"), world.ask("shop.svc.global", "A")]).toEqual(["forward", "forward"]);
    expect([world.ask("svc.global", "A"), world.table.globalServiceCount]).toEqual(["NOERROR: soa global", 1]);
    world.apply({ ...GONE, key: "data/db" });
    expect([world.ask("svc.global", "A"), world.table.globalServiceCount]).toEqual(["forward", 0]);
  });

  test("has nothing to do with the cluster's service of its name", () => {
    const world = makeWorld();
    expect(world.ask("web.shop.svc.cluster.local", "A")).toBe("NOERROR: 10.96.0.10");
    world.apply({ ...GONE, key: "shop/web" });
    expect(world.isPrepared("web.shop.svc.cluster.local", "A")).toBeTrue();
    expect(world.ask("web.shop.svc.cluster.local", "A")).toBe("NOERROR: 10.96.0.10");
  });

  test("leads elsewhere once the node hears where it is", () => {
    const world = makeWorld({ locality: "unheard" });
    expect(world.ask("web.shop.svc.global", "A")).toBe("NOERROR: 10.1.0.1, 10.3.0.1");
    world.table.setLocality({ ...ELSEWHERE, cluster: undefined, zone: "sud" });
    expect(world.ask("web.shop.svc.global", "A")).toBe("NOERROR: 10.3.0.1");
    world.table.setLocality(PARIS);
    expect(world.ask("web.shop.svc.global", "A")).toBe("NOERROR: 10.1.0.1");
  });

  test("without a name that is one in DNS has none", () => {
    const world = new NameTableWorld([]);
    world.apply(globalChange(makeGlobalService(`shop/${"x".repeat(64)}`, [["paris", "10.1.0.1"]])));
    expect(world.table.globalServiceCount).toBe(0);
    expect(world.ask("svc.global", "A")).toBe("forward");
  });
});

describe("answers are kept", () => {
  test("where there is an end of them", () => {
    const world = makeWorld();
    const kept = ["web.shop.svc.global", "lyon.web.shop.svc.global", "db-0.lyon.db.data.svc.global"];
    const made = ["oslo.web.shop.svc.global", "db-9.lyon.db.data.svc.global", "shop.svc.global", "svc.global"];
    for (const type of ["A", "AAAA", "TXT"]) {
      for (const name of [...kept, ...made]) world.ask(name, type);
      expect(kept.map((name) => world.isPrepared(name, type))).toEqual(kept.map(() => true));
      expect(made.map((name) => world.isPrepared(name, type))).toEqual(made.map(() => false));
    }
  });

  test("while the node is where it was", () => {
    const world = makeWorld();
    world.ask("web.shop.svc.cluster.local", "A");
    world.table.setLocality({ ...PARIS });
    expect(world.isPrepared("web.shop.svc.cluster.local", "A")).toBeTrue();
  });
});

test("by change they end where starting afresh begins", () => {
  const key = fc.constantFrom("a/one", "a/two", "b/one");
  const part = fc.tuple(fc.constantFrom("x", "y"), fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1"));
  const change = fc
    .tuple(key, fc.option(fc.array(part, { maxLength: 3 })))
    .map(([at, parts]) => (parts === null ? { ...GONE, key: at } : globalChange(makeGlobalService(at, parts))));
  const place = fc.constantFrom("x", "y", undefined).map((cluster) => ({ ...ELSEWHERE, cluster }));
  const names = ["one.a.svc", "two.a.svc", "one.b.svc", "x.one.a.svc", "one.a.y", "a.svc", "b.svc", "svc"];
  const questions = names.flatMap((name) => ["A", "AAAA"].map((type) => [`${name}.global`, type] as const));
  fc.assert(
    fc.property(fc.array(fc.tuple(change, place), { minLength: 1, maxLength: 12 }), (steps) => {
      const [stepped, fresh] = [new NameTableWorld([]), new NameTableWorld([])];
      for (const [one, where] of steps) {
        stepped.apply(one);
        stepped.table.setLocality(where);
        for (const [name, type] of questions) stepped.ask(name, type);
        fresh.apply(one);
        fresh.table.setLocality(where);
      }
      for (const [name, type] of questions) expect(stepped.ask(name, type)).toBe(fresh.ask(name, type));
    }),
  );
});
