import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nameView, planReverseNames, planServiceNames, reverseAddresses } from "../../../../edge/dns/plan.ts";
import { makeZone } from "../../../../edge/dns/zone.ts";
import type { Service } from "../../../../src/network/service.ts";
import type { ServiceView, ServiceViews } from "../../../../src/network/service-index.ts";
import { formatRecordType, RecordType } from "../../../../src/wire/dns.ts";
import { formatName } from "../../../../src/wire/dns-name.ts";
import { formatRecordData, type ResourceRecord } from "../../../../src/wire/dns-record.ts";
import {
  dnsName,
  indexOf,
  ip,
  makeEndpoint,
  makeService,
  makeSlice,
  serviceChange,
  sliceChange,
  specificationServices,
} from "../../../support/network-objects.ts";

const ZONE = makeZone(dnsName("cluster.local"));
const { index } = indexOf(specificationServices());

function view(key: string, from: ServiceViews = index): ServiceView {
  const found = from.get(key);
  if (found === undefined) throw new Error(`no service ${key}`);
  return found;
}

function text(record: ResourceRecord): string {
  return `${formatName(record.name)} ${formatRecordType(record.type)} ${formatRecordData(record)}`;
}

/** What "<below>.<service>.<namespace>.svc.cluster.local" holds. */
function ask(key: string, type: number, below: readonly string[] = [], from: ServiceViews = index): unknown {
  const [namespace, name] = key.split("/");
  const asked = dnsName([...below, name, namespace, "svc.cluster.local"].join("."));
  const plan = planServiceNames(view(key, from), ZONE, below, asked, type);
  switch (plan.kind) {
    case "records":
      return [...plan.answers.map(text), ...plan.additionals.map((record) => `+ ${text(record)}`)];
    case "alias":
      return `alias ${formatName(plan.target)}`;
    default:
      return plan.kind;
  }
}

const { A, AAAA, SRV, TXT } = RecordType;

describe("a service with cluster IPs (section 2.3)", () => {
  test("has an A and an AAAA record for its addresses of each family", () => {
    expect(ask("shop/web", A)).toEqual(["web.shop.svc.cluster.local A 10.96.0.10"]);
    expect(ask("shop/web", AAAA)).toEqual(["web.shop.svc.cluster.local AAAA fd00:96::10"]);
  });

  test("of one family exists without data of the other, and without other types", () => {
    expect([ask("shop/v4", AAAA), ask("shop/v4", TXT)]).toEqual(["no-data", "no-data"]);
  });

  test("has an SRV record for each named port, with its addresses beside it", () => {
    expect(ask("shop/web", SRV, ["_http", "_tcp"])).toEqual([
      "_http._tcp.web.shop.svc.cluster.local SRV 0 100 80 web.shop.svc.cluster.local.",
      "+ web.shop.svc.cluster.local A 10.96.0.10",
      "+ web.shop.svc.cluster.local AAAA fd00:96::10",
    ]);
    expect(ask("shop/web", A, ["_http", "_tcp"])).toBe("no-data");
    expect(ask("shop/web", SRV, ["_http", "_udp"])).toBe("no-name");
    expect(ask("shop/web", SRV, ["_https", "_tcp"])).toBe("no-name");
    expect(ask("shop/web", SRV, ["a", "_http", "_tcp"])).toBe("no-name");
  });

  test("has an empty name above its ports' (RFC 8020)", () => {
    expect([ask("shop/web", SRV, ["_tcp"]), ask("shop/web", SRV, ["_udp"])]).toEqual(["no-data", "no-name"]);
  });

  test("lists all ports under its own name, as CoreDNS does", () => {
    expect(ask("shop/v4", SRV)).toEqual([
      "v4.shop.svc.cluster.local SRV 0 100 80 v4.shop.svc.cluster.local.",
      "+ v4.shop.svc.cluster.local A 10.96.0.11",
    ]);
  });

  test("has no SRV record for an unnamed port", () => {
    const unnamed = makeService("shop/one", {
      clusterIps: [ip("10.96.0.13")],
      ports: [{ name: "", protocol: "TCP", port: 80, nodePort: undefined }],
    });
    const { index: own } = indexOf([serviceChange(unnamed)]);
    expect([ask("shop/one", SRV, ["_", "_tcp"], own), ask("shop/one", SRV, ["_tcp"], own)]).toEqual([
      "no-name",
      "no-name",
    ]);
  });

  test("is found backwards by its addresses", () => {
    expect(reverseAddresses(view("shop/web"))).toEqual([ip("10.96.0.10"), ip("fd00:96::10")]);
    expect(planReverseNames(view("shop/web"), ZONE, ip("fd00:96::10")).map(formatName)).toEqual([
      "web.shop.svc.cluster.local",
    ]);
    expect(reverseAddresses(view("shop/v4"))).toEqual([ip("10.96.0.11")]);
  });

  test("gives endpoints with a hostname a name, too, forwards and backwards, as CoreDNS does", () => {
    const endpoints = [
      makeEndpoint("10.1.4.1", { hostname: "pet-0" }),
      makeEndpoint("10.1.4.2"),
      makeEndpoint("10.1.4.3", { hostname: "pet-1", ready: false }),
    ];
    const { index: own } = indexOf([
      serviceChange(makeService("shop/pet", { clusterIps: [ip("10.96.0.14")] })),
      sliceChange(makeSlice("shop/pet", endpoints)),
    ]);
    expect(ask("shop/pet", A, ["pet-0"], own)).toEqual(["pet-0.pet.shop.svc.cluster.local A 10.1.4.1"]);
    expect([ask("shop/pet", A, ["10-1-4-2"], own), ask("shop/pet", A, ["pet-1"], own)]).toEqual(["no-name", "no-name"]);
    expect(ask("shop/pet", A, [], own)).toEqual(["pet.shop.svc.cluster.local A 10.96.0.14"]);
    expect(reverseAddresses(view("shop/pet", own))).toEqual([ip("10.96.0.14"), ip("10.1.4.1")]);
    expect(planReverseNames(view("shop/pet", own), ZONE, ip("10.1.4.1")).map(formatName)).toEqual([
      "pet-0.pet.shop.svc.cluster.local",
    ]);
  });

  test("that becomes an ExternalName leaves its endpoints no name", () => {
    const { index: own } = indexOf([
      serviceChange(makeService("shop/was", { type: "ExternalName", externalName: "www.example.com" })),
      sliceChange(makeSlice("shop/was", [makeEndpoint("10.1.4.1", { hostname: "was-0" })])),
    ]);
    expect([reverseAddresses(view("shop/was", own)), ask("shop/was", A, ["was-0"], own)]).toEqual([[], "no-name"]);
  });

  test("keeps its names when another program proxies it", () => {
    expect(ask("shop/foreign", A)).toEqual(["foreign.shop.svc.cluster.local A 10.96.0.12"]);
  });
});

describe("a headless service (section 2.4)", () => {
  test("has an address record for each ready endpoint", () => {
    expect(ask("data/db", A)).toEqual([
      "db.data.svc.cluster.local A 10.1.1.1",
      "db.data.svc.cluster.local A 10.1.1.2",
      "db.data.svc.cluster.local A 10.1.1.3",
    ]);
    expect(ask("data/db", AAAA)).toEqual(["db.data.svc.cluster.local AAAA fd00:1::1"]);
  });

  test("has a name for each ready endpoint: its hostname, or its address with dashes", () => {
    expect(ask("data/db", A, ["db-1"])).toEqual(["db-1.db.data.svc.cluster.local A 10.1.1.2"]);
    expect(ask("data/db", AAAA, ["db-0"])).toEqual(["db-0.db.data.svc.cluster.local AAAA fd00:1::1"]);
    expect(ask("data/db", AAAA, ["db-1"])).toBe("no-data");
    expect(ask("data/db", A, ["10-1-1-3"])).toEqual(["10-1-1-3.db.data.svc.cluster.local A 10.1.1.3"]);
    expect([ask("data/db", A, ["db-9"]), ask("data/db", A, ["db-7"]), ask("data/db", A, ["10-1-1-1"])]).toEqual([
      "no-name",
      "no-name",
      "no-name",
    ]);
  });

  test("has an SRV record for each ready endpoint and named port, at the endpoint's own port", () => {
    expect(ask("data/db", SRV, ["_http", "_tcp"])).toEqual([
      "_http._tcp.db.data.svc.cluster.local SRV 0 33 8080 db-0.db.data.svc.cluster.local.",
      "_http._tcp.db.data.svc.cluster.local SRV 0 33 8080 db-1.db.data.svc.cluster.local.",
      "_http._tcp.db.data.svc.cluster.local SRV 0 33 8080 10-1-1-3.db.data.svc.cluster.local.",
      "+ db-0.db.data.svc.cluster.local A 10.1.1.1",
      "+ db-0.db.data.svc.cluster.local AAAA fd00:1::1",
      "+ db-1.db.data.svc.cluster.local A 10.1.1.2",
      "+ 10-1-1-3.db.data.svc.cluster.local A 10.1.1.3",
    ]);
    expect([ask("data/db", SRV, ["_tcp"]), ask("data/db", SRV, ["_http", "_udp"])]).toEqual(["no-data", "no-name"]);
  });

  test("is found backwards by its ready endpoints, under their names", () => {
    expect(reverseAddresses(view("data/db"))).toEqual(["10.1.1.1", "10.1.1.2", "10.1.1.3", "fd00:1::1"].map(ip));
    expect(planReverseNames(view("data/db"), ZONE, ip("10.1.1.2")).map(formatName)).toEqual([
      "db-1.db.data.svc.cluster.local",
    ]);
  });

  test("shows endpoints that are not ready where it publishes them", () => {
    expect(ask("data/early", A)).toEqual(["early.data.svc.cluster.local A 10.1.2.1"]);
    expect(ask("data/early", A, ["early-0"])).toEqual(["early-0.early.data.svc.cluster.local A 10.1.2.1"]);
  });

  test("does not exist while it has no ready endpoint", () => {
    expect(ask("data/empty", A)).toBe("no-name");
  });

  test("names an address once, though several slices have it", () => {
    const { index: own } = indexOf([
      serviceChange(makeService("data/two", { headless: true })),
      sliceChange(makeSlice("data/two", [makeEndpoint("10.1.3.1")], { name: "two-a" })),
      sliceChange(makeSlice("data/two", [makeEndpoint("10.1.3.1")], { name: "two-b" })),
    ]);
    expect(ask("data/two", A, [], own)).toEqual(["two.data.svc.cluster.local A 10.1.3.1"]);
    expect(ask("data/two", SRV, ["_http", "_tcp"], own)).toEqual([
      "_http._tcp.two.data.svc.cluster.local SRV 0 100 8080 10-1-3-1.two.data.svc.cluster.local.",
      "+ 10-1-3-1.two.data.svc.cluster.local A 10.1.3.1",
    ]);
  });

  test("gives several addresses under one hostname", () => {
    const endpoints = [makeEndpoint("10.1.3.1", { hostname: "pet" }), makeEndpoint("10.1.3.2", { hostname: "pet" })];
    const { index: own } = indexOf([
      serviceChange(makeService("data/pets", { headless: true })),
      sliceChange(makeSlice("data/pets", endpoints)),
    ]);
    expect(ask("data/pets", A, ["pet"], own)).toEqual([
      "pet.pets.data.svc.cluster.local A 10.1.3.1",
      "pet.pets.data.svc.cluster.local A 10.1.3.2",
    ]);
  });
});

describe("an ExternalName service (section 2.5)", () => {
  test("is an alias under its own name only", () => {
    expect(ask("shop/outside", A)).toBe("alias www.example.com");
    expect(ask("shop/outside", A, ["a"])).toBe("no-name");
  });

  test.each(["10.0.0.1", "", "a..b", "."])("to %p is no name", (externalName) => {
    const { index: own } = indexOf([serviceChange(makeService("shop/bad", { type: "ExternalName", externalName }))]);
    expect(ask("shop/bad", A, [], own)).toBe("no-name");
  });
});

test("the endpoints of a service are looked through once, however many names below it are asked for", () => {
  const { service, slices } = view("data/db");
  let looks = 0;
  const counted: ServiceView = {
    key: "data/db",
    service,
    get slices() {
      looks += 1;
      return slices;
    },
  };
  const from = { get: () => counted };
  for (const below of [[], ["db-0"], ["no-0"], ["no-1"], ["_no"], ["_no", "_tcp"], ["_http", "_tcp"]]) {
    for (const type of [A, AAAA, SRV, TXT]) ask("data/db", type, below, from);
  }
  planReverseNames(counted, ZONE, ip("10.1.1.2"));
  expect(looks).toBe(1);
});

test("what is left of a view for names has all that they are made of", () => {
  const hostname = fc.option(fc.constantFrom("a", "b"), { nil: undefined });
  const endpoint = fc
    .tuple(fc.constantFrom("10.1.0.1", "10.1.0.2"), hostname, fc.boolean())
    .map(([address, name, ready]) => makeEndpoint(address, { hostname: name, ready }));
  const service = fc.constantFrom<Partial<Service>>(
    { clusterIps: [ip("10.96.0.1")] },
    { clusterIps: [ip("10.96.0.1")], publishNotReadyAddresses: true },
    { headless: true },
    { type: "ExternalName", externalName: "www.example.com" },
  );
  const questions = [[], ["a"], ["b"], ["10-1-0-1"], ["_http", "_tcp"], ["_tcp"]];
  fc.assert(
    fc.property(service, fc.array(fc.array(endpoint, { maxLength: 3 }), { maxLength: 2 }), (over, slices) => {
      const { index: whole } = indexOf([
        serviceChange(makeService("a/s", over)),
        ...slices.map((endpoints, i) => sliceChange(makeSlice("a/s", endpoints, { name: `s-${i}` }))),
      ]);
      const less = { get: () => nameView(view("a/s", whole)) };
      for (const below of questions) {
        for (const type of [A, SRV]) expect(ask("a/s", type, below, less)).toEqual(ask("a/s", type, below, whole));
      }
      const reverse = (views: ServiceViews) =>
        reverseAddresses(view("a/s", views)).map((address) => planReverseNames(view("a/s", views), ZONE, address));
      expect(reverse(less)).toEqual(reverse(whole));
    }),
  );
});
