import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hasCluster, planGlobalNames } from "../../../../edge/dns/global-plan.ts";
import type { GlobalService, Locality } from "../../../../src/network/global-service.ts";
import { RecordType } from "../../../../src/wire/dns.ts";
import { formatRecordData } from "../../../../src/wire/dns-record.ts";
import { dnsName, makeGlobalService } from "../../../support/network-objects.ts";

const { A, AAAA, SRV, TXT } = RecordType;

/** Four clusters: two in one zone, a third in the same region, a fourth far away. */
const WEB = makeGlobalService("shop/web", [
  ["paris/nord/fr", "10.1.0.1 fd00:1::1"],
  ["lille/nord/fr", "10.2.0.1"],
  ["lyon/sud/fr", "10.3.0.1 fd00:3::1"],
  ["oslo/east/no", "10.4.0.1 fd00:4::1"],
]);
const DB = makeGlobalService("shop/db", [
  ["paris/nord/fr", "10.1.1.1 fd00:1:1::1", "db-0"],
  ["paris/nord/fr", "10.1.1.2", "db-1"],
  ["lyon/sud/fr", "10.3.1.1", "db-0"],
]);

function at(place: string): Locality {
  const [cluster, zone = "", region = ""] = place.split("/");
  return { cluster: cluster || undefined, zone, region };
}

/** The addresses of "<below>.web.shop.svc.global", or why there are none. */
function ask(service: GlobalService, place: string, type: number, ...below: readonly string[]): unknown {
  const name = dnsName([...below, service.name, service.namespace, "svc.global"].join("."));
  const plan = planGlobalNames(service, at(place), below, name, type);
  if (plan.kind !== "records") return plan.kind;
  expect(plan.answers.every((record) => record.name === name && record.type === type)).toBeTrue();
  return plan.answers.map(formatRecordData);
}

describe("a service's name", () => {
  test.each([
    ["the own cluster's", "lyon/nord/fr", ["10.3.0.1"]],
    ["or else the zone's", "brest/nord/no", ["10.1.0.1", "10.2.0.1"]],
    ["or else the region's", "brest/ouest/fr", ["10.1.0.1", "10.2.0.1", "10.3.0.1"]],
    ["or else all", "rome/centro/it", ["10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1"]],
    ["without a cluster of its own, the zone's", "/nord/fr", ["10.1.0.1", "10.2.0.1"]],
  ])("leads to %s endpoints", (_, place, addresses) => {
    expect(ask(WEB, place, A)).toEqual(addresses);
  });

  test("is decided for each family by itself", () => {
    expect([ask(WEB, "lille/nord/fr", A), ask(WEB, "lille/nord/fr", AAAA)]).toEqual([["10.2.0.1"], ["fd00:1::1"]]);
  });

  test("takes an endpoint that does not say where it is for one from afar", () => {
    const service = makeGlobalService("shop/web", [
      ["", "10.9.0.1"],
      ["/nord", "10.9.0.2"],
    ]);
    expect(ask(service, "//", A)).toEqual(["10.9.0.1", "10.9.0.2"]);
    expect(ask(service, "paris/nord/fr", A)).toEqual(["10.9.0.2"]);
    expect(ask(service, "paris/sud/fr", A)).toEqual(["10.9.0.1", "10.9.0.2"]);
  });

  test("has each address once, and not more than a message has room for", () => {
    const twice = makeGlobalService("shop/web", [
      ["paris", "10.1.0.1 10.1.0.2"],
      ["paris", "10.1.0.2"],
    ]);
    expect(ask(twice, "paris", A)).toEqual(["10.1.0.1", "10.1.0.2"]);
    const addresses = Array.from({ length: 5000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
    const many = makeGlobalService("shop/web", [["paris", addresses.join(" ")]]);
    expect(ask(many, "paris", A)).toEqual(addresses.slice(0, 4096));
  });

  test("exists without data where there is no endpoint of the family, and for other types", () => {
    const v4 = makeGlobalService("shop/web", [["paris", "10.1.0.1"]]);
    const none = makeGlobalService("shop/web", []);
    expect([ask(v4, "paris", AAAA), ask(v4, "paris", SRV), ask(v4, "paris", TXT), ask(none, "paris", A)]).toEqual(
      Array(4).fill("no-data"),
    );
  });
});

describe("a cluster's name below it", () => {
  test("leads to that cluster's endpoints, wherever this node is", () => {
    expect([ask(WEB, "lyon/sud/fr", A, "oslo"), ask(WEB, "lyon/sud/fr", AAAA, "oslo")]).toEqual([
      ["10.4.0.1"],
      ["fd00:4::1"],
    ]);
    expect(ask(DB, "lyon/sud/fr", A, "paris")).toEqual(["10.1.1.1", "10.1.1.2"]);
  });

  test("has no data where that cluster has no endpoint of the family, or none at all", () => {
    expect([ask(WEB, "", AAAA, "lille"), ask(WEB, "", A, "rome"), ask(WEB, "", TXT, "oslo")]).toEqual(
      Array(3).fill("no-data"),
    );
  });
});

describe("a pod's name below its cluster's", () => {
  test("leads to that pod", () => {
    expect(ask(DB, "oslo", A, "db-0", "paris")).toEqual(["10.1.1.1"]);
    expect(ask(DB, "oslo", AAAA, "db-0", "paris")).toEqual(["fd00:1:1::1"]);
    expect(ask(DB, "paris", A, "db-0", "lyon")).toEqual(["10.3.1.1"]);
  });

  test("has no data where the pod has no address of the family", () => {
    expect([ask(DB, "paris", AAAA, "db-1", "paris"), ask(DB, "paris", SRV, "db-1", "paris")]).toEqual([
      "no-data",
      "no-data",
    ]);
  });

  test("does not exist in another cluster, nor below a service that is not headless", () => {
    expect(ask(DB, "paris", A, "db-1", "lyon")).toBe("no-name");
    expect(ask({ ...DB, headless: false }, "paris", A, "db-0", "paris")).toBe("no-name");
    expect(ask(DB, "paris", A, "x", "db-0", "paris")).toBe("no-name");
  });
});

test("it is known which clusters have a part in a service", () => {
  expect(["paris", "oslo", "rome", ""].map((cluster) => hasCluster(WEB, cluster))).toEqual([true, true, false, false]);
});

test("whatever the endpoints, all that a name leads to are equally near, and nobody is nearer", () => {
  const word = fc.constantFrom("", "a", "b", "c");
  const endpoint = fc.tuple(word, word, word, fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1"));
  fc.assert(
    fc.property(fc.array(endpoint, { maxLength: 8 }), word, word, word, (endpoints, cluster, zone, region) => {
      const service = makeGlobalService(
        "shop/web",
        endpoints.map(([c, z, r, address], i) => [`${c}/${z}/${r}`, address.replace(/\d$/, String(i + 1))]),
      );
      const distance = (i: number) => {
        const [c, z, r] = endpoints[i] ?? ["", "", ""];
        if (c !== "" && c === cluster) return 0;
        if (z !== "" && z === zone) return 1;
        return r !== "" && r === region ? 2 : 3;
      };
      for (const [type, family] of [
        [A, "10."],
        [AAAA, "fd00"],
      ] as const) {
        const reachable = endpoints.flatMap(([, , , address], i) => (address.startsWith(family) ? [i] : []));
        const least = Math.min(...reachable.map(distance));
        const wanted = reachable.filter((i) => distance(i) === least);
        const answer = ask(service, `${cluster}/${zone}/${region}`, type);
        if (wanted.length === 0) expect(answer).toBe("no-data");
        else expect((answer as string[]).map((address) => Number(address.at(-1)) - 1)).toEqual(wanted);
      }
    }),
  );
});
