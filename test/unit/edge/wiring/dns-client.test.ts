import { afterEach, describe, expect, test } from "bun:test";
import { DnsClient } from "../../../../edge/wiring/dns-client.ts";
import type { DnsSettings, FromDns, Port, ToDns } from "../../../../edge/wiring/dns-messages.ts";
import { serveDns } from "../../../../edge/wiring/dns-thread.ts";
import { seconds } from "../../../../src/base/duration.ts";
import { Health } from "../../../../src/base/health.ts";
import type { LogRecord } from "../../../../src/base/log.ts";
import type { Scope } from "../../../../src/base/scope.ts";
import { SystemClock } from "../../../../src/linux/system-clock.ts";
import { RecordType } from "../../../../src/wire/dns.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { randomWord } from "../../../support/dns-server.ts";
import {
  globalChange,
  indexOf,
  ip,
  makeEndpoint,
  makeGlobalService,
  makeService,
  makeSlice,
  serviceChange,
  sliceChange,
  specificationServices,
} from "../../../support/network-objects.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const SETTINGS: DnsSettings = {
  zone: "cluster.local",
  bindAddresses: [ip("127.0.0.1")],
  port: 0,
  upstreams: [],
  resolvConf: "/nonexistent",
  logLevel: "info",
};
const LOOPBACK = { addresses: [], networks: [] };
const clock = new SystemClock();

/** Two ends that copy what they carry, as `postMessage` does. */
function connect(): { readonly client: Port<FromDns, ToDns>; readonly thread: Port<ToDns, FromDns> } {
  const { port1, port2 } = new MessageChannel();
  const end = <In, Out>(port: MessagePort): Port<In, Out> => ({
    send: (message) => port.postMessage(message),
    receive: (take) => {
      port.onmessage = ({ data }) => take(data);
    },
  });
  closers.push(() => port1.close());
  return { client: end(port1), thread: end(port2) };
}

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function start() {
  const { client, thread } = connect();
  const system = {
    clock,
    random: Math.random,
    randomWord,
    environment: {},
    pid: process.pid,
    heap: { collectGarbage: () => {}, dropCode: () => {} },
  };
  const scope: Scope = serveDns(thread, system);
  closers.unshift(() => scope.close());
  const records: LogRecord[] = [];
  const health = new Health(
    () => 0,
    () => {},
  );
  return {
    dns: new DnsClient({ port: client, clock, logSink: (record) => records.push(record), health }),
    records,
    health,
  };
}

/** What "cli.ns.svc.cluster.local" resolves to. */
async function addressesOf(dns: DnsClient, service: string): Promise<readonly string[]> {
  const { answers } = await dns.resolve(`${service}.default.svc.cluster.local`, RecordType.A);
  return answers.map(({ data }) => data);
}

describe("the DNS thread", () => {
  test("knows services that were told before and after it started, and forgets those that are gone", async () => {
    const { dns } = start();
    const many = Array.from({ length: 600 }, (_, i) =>
      serviceChange(makeService(`default/svc-${i}`, { clusterIps: [ip(`10.96.${i >> 8}.${i & 255}`)] })),
    );
    const { index, changed } = indexOf(many);
    dns.update(index, changed);
    await dns.start(SETTINGS, LOOPBACK);
    expect((await dns.status())?.serviceCount).toBe(600);
    expect(await addressesOf(dns, "svc-599")).toEqual(["10.96.2.87"]);

    dns.update(index, index.apply([serviceChange(makeService("default/web", { clusterIps: [ip("10.96.9.9")] }))]));
    dns.update(index, index.apply([{ kind: "Service", key: "default/svc-599", value: undefined }]));
    expect(await addressesOf(dns, "web")).toEqual(["10.96.9.9"]);
    expect(await addressesOf(dns, "svc-599")).toEqual([]);
  });

  test("knows services of several clusters, and where it is, in the same way", async () => {
    const { dns } = start();
    const addresses = async (name: string) => {
      const { answers } = await dns.resolve(`${name}.shop.svc.global`, RecordType.A);
      return answers.map(({ data }) => data);
    };
    // In several messages: one has thousands of endpoints.
    const large = makeGlobalService(
      "shop/large",
      Array.from({ length: 1500 }, (_, i) => ["paris/z/r", `10.7.${i >> 8}.${i & 255}`]),
    );
    const web = makeGlobalService("shop/web", [
      ["paris/z/r", "10.1.0.1"],
      ["lyon/z/r", "10.2.0.1"],
    ]);
    const [small, other] = [makeGlobalService("shop/small", [["lyon", "10.3.0.1"]]), makeService("shop/local")];
    dns.updateGlobals([web, large, small].map(globalChange));
    dns.updateGlobals([serviceChange(other), { kind: "GlobalService", key: "shop/small", value: undefined }]);
    dns.setLocality({ cluster: "lyon", zone: "default", region: "default" });
    await dns.start(SETTINGS, LOOPBACK);
    expect(await dns.status()).toMatchObject({ serviceCount: 0, globalServiceCount: 2 });
    expect(await addresses("web")).toEqual(["10.2.0.1"]);
    expect((await addresses("large")).length).toBe(1500);

    dns.setLocality({ cluster: "paris", zone: "default", region: "default" });
    expect(await addresses("web")).toEqual(["10.1.0.1"]);
    dns.updateGlobals([globalChange(makeGlobalService("shop/web", [["paris", "10.1.0.9"]]))]);
    expect(await addresses("web")).toEqual(["10.1.0.9"]);
    dns.updateGlobals([{ kind: "GlobalService", key: "shop/web", value: undefined }]);
    expect(await dns.resolve("web.shop.svc.global", RecordType.A)).toMatchObject({ answers: [], source: "error" });
  });

  test("knows the endpoints of headless services", async () => {
    const { dns } = start();
    const { index, changed } = indexOf(specificationServices());
    dns.update(index, changed);
    await dns.start(SETTINGS, LOOPBACK);
    const headless = [...index.views()].find(({ service, slices }) => service.headless && slices.length > 0);
    const name = `${headless?.service.name}.${headless?.service.namespace}.svc.cluster.local`;
    expect((await dns.resolve(name, RecordType.A)).answers.length).toBeGreaterThan(0);
  });

  test("knows those endpoints of other services that have a hostname", async () => {
    const { dns } = start();
    const { index, changed } = indexOf([
      serviceChange(makeService("default/pet", { clusterIps: [ip("10.96.9.9")] })),
      sliceChange(makeSlice("default/pet", [makeEndpoint("10.1.4.1", { hostname: "pet-0" })])),
    ]);
    dns.update(index, changed);
    await dns.start(SETTINGS, LOOPBACK);
    expect([await addressesOf(dns, "pet"), await addressesOf(dns, "pet-0.pet")]).toEqual([["10.96.9.9"], ["10.1.4.1"]]);
  });

  test("tells its metrics", async () => {
    const { dns } = start();
    await dns.start(SETTINGS, LOOPBACK);
    expect(await dns.metrics()).toContain("selvedge_dns_cache_entries 0");
  });

  test("hands on its log, its conditions and its errors", async () => {
    const { dns, records, health } = start();
    await dns.start({ ...SETTINGS, bindAddresses: [ip("192.0.2.1")] }, LOOPBACK);
    expect(records.map(({ event }) => event)).toContain("dns.bind_failed");
    expect(health.list().map(({ code }) => code)).toContain("DNS_BIND_FAILED");
    const error = await dns.resolve("a..b", RecordType.A).catch((thrown) => thrown);
    expect(error).toMatchObject({ name: "SelvedgeError", code: "DNS_NAME_INVALID", blame: "user" });
    expect(error.hint).toContain("labels");
  });

  test("refuses a cluster domain that is none", async () => {
    const { dns } = start();
    const error = await dns.start({ ...SETTINGS, zone: "." }, LOOPBACK).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "DNS_ZONE_INVALID", blame: "user" });
  });

  test("beats, so that the agent knows that it lives", async () => {
    const { dns } = start();
    await waitFor("a beat", () => dns.takeWorstLag() > 0);
    expect(dns.alive()).toBe(true);
  });
});

describe("a DNS thread that is silent", () => {
  test("is not waited for longer than six seconds, and not alive after thirty", async () => {
    const stepped = new SteppedClock();
    const { client } = connect();
    const health = new Health(
      () => 0,
      () => {},
    );
    const dns = new DnsClient({ port: client, clock: stepped, logSink: () => {}, health });
    const asked = dns.status().catch((thrown) => thrown);
    const started = dns.start(SETTINGS, LOOPBACK).catch((thrown) => thrown);
    await stepped.advance(seconds(6));
    expect(await asked).toMatchObject({ code: "DNS_SILENT", blame: "us" });
    expect(dns.alive()).toBe(true);
    await stepped.advance(seconds(24));
    expect(await started).toMatchObject({ message: expect.stringContaining("start as it does not answer within 30s") });
    expect(dns.alive()).toBe(false);
  });
});
