import { describe, expect, test } from "bun:test";
import type { ServiceApplier } from "../../../../edge/service/applier.ts";
import type { Frontend } from "../../../../edge/service/frontend.ts";
import { ServiceMetrics } from "../../../../edge/service/service-metrics.ts";
import { type OpenApplier, ServiceProxy } from "../../../../edge/service/service-proxy.ts";
import { minutes, seconds } from "../../../../src/base/duration.ts";
import { SelvedgeError } from "../../../../src/base/errors.ts";
import { Health } from "../../../../src/base/health.ts";
import { Log } from "../../../../src/base/log.ts";
import { Metrics } from "../../../../src/base/metrics.ts";
import { Scope } from "../../../../src/base/scope.ts";
import type { ObjectChange } from "../../../../src/network/object-change.ts";
import { ServiceIndex } from "../../../../src/network/service-index.ts";
import { ip, makeEndpoint, makeService } from "../../../support/network-objects.ts";
import { SteppedClock, settle } from "../../../support/stepped-clock.ts";

/** Writes down what it is told. */
class FakeApplier implements ServiceApplier {
  readonly calls: string[] = [];
  failure: SelvedgeError | undefined;

  async apply(changes: ReadonlyMap<string, readonly Frontend[]>): Promise<void> {
    const told = [...changes].map(
      ([key, list]) => `${key}:${list.map((f) => f.backends.map((b) => b.address)).join()}`,
    );
    this.calls.push(`apply ${told.join(" ")}`.trim());
    if (this.failure !== undefined) throw this.failure;
  }
  async resync(): Promise<void> {
    this.calls.push("resync");
    if (this.failure !== undefined) throw this.failure;
  }
  async close(): Promise<void> {
    this.calls.push("close");
  }
}

function failure(retry: "never" | "later"): SelvedgeError {
  return new SelvedgeError("Cannot do it", { code: "NFT_INCOMPLETE", blame: "host", retry, hint: "Do something." });
}

function start(open: Partial<Record<"nftables" | "userspace", OpenApplier>> = {}, mode: "auto" | "nftables" = "auto") {
  const clock = new SteppedClock();
  const applier = new FakeApplier();
  const scope = new Scope();
  const health = new Health(
    () => clock.wall(),
    () => {},
  );
  const metrics = new Metrics("selvedge");
  let resync = () => {};
  const nftables: OpenApplier = async (ask) => {
    resync = ask;
    return applier;
  };
  const userspace: OpenApplier = async () => applier;
  const proxy = new ServiceProxy({
    mode,
    node: { name: "here", zone: "east", addresses: [] },
    open: { nftables, userspace, ...open },
    clock,
    random: () => 0,
    log: new Log(() => {}, "error"),
    health,
    metrics: new ServiceMetrics(metrics),
    scope,
  });
  return { proxy, clock, applier, scope, health, metrics, index: new ServiceIndex(), foreignWrite: () => resync() };
}

function service(name: string, over = {}): ObjectChange {
  return {
    kind: "Service",
    key: `ns/${name}`,
    value: makeService(`ns/${name}`, { clusterIps: [ip("10.96.0.1")], ...over }),
  };
}

function slice(name: string, list: readonly (readonly [string, string])[]): ObjectChange {
  const endpoints = list.map(([address, zone]) => makeEndpoint(address, { hintZones: [zone] }));
  const ports = [{ name: "http", protocol: "TCP" as const, port: 8080 }];
  const value = { namespace: "ns", name: `${name}-1`, service: name, family: 4 as const, ports, endpoints };
  return { kind: "EndpointSlice", key: `ns/${name}-1`, value };
}

describe("the service proxy", () => {
  test("says nothing to the kernel before it knows the services, and everything then", async () => {
    const { proxy, applier, index } = start();
    await proxy.resync();
    await proxy.setNode({ name: "here", zone: "west", addresses: [] });
    expect(applier.calls).toEqual([]);
    index.apply([service("web"), slice("web", [["10.1.0.1", "west"]])]);
    await proxy.update(index, new Set());
    expect(applier.calls).toEqual(["apply ns/web:10.1.0.1"]);
    await proxy.update(index, index.apply([slice("web", [])]));
    expect(applier.calls.slice(1)).toEqual(["apply ns/web:"]);
  });

  test("tells the applier of an empty cluster too, so that leftovers go", async () => {
    const { proxy, applier, index } = start();
    await proxy.update(index, new Set());
    expect(applier.calls).toEqual(["apply"]);
  });

  test("plans everything again when the node's zone changes, and nothing when it does not", async () => {
    const { proxy, applier, index } = start();
    await proxy.update(
      index,
      index.apply([
        service("web"),
        slice("web", [
          ["10.1.0.1", "east"],
          ["10.1.0.2", "west"],
        ]),
      ]),
    );
    await proxy.setNode({ name: "here", zone: "east", addresses: [] });
    await proxy.setNode({ name: "here", zone: "west", addresses: [] });
    expect(applier.calls).toEqual(["apply ns/web:10.1.0.1", "apply ns/web:10.1.0.2"]);
  });

  test("looks at everything every minute, and at once when another program wrote", async () => {
    const { proxy, applier, clock, index, foreignWrite } = start();
    await proxy.update(index, new Set());
    await clock.advance(minutes(1));
    expect(applier.calls).toEqual(["apply", "resync"]);
    foreignWrite();
    await settle();
    expect(applier.calls).toEqual(["apply", "resync", "resync"]);
  });

  test("reports a failure with its hint, tries again, and is well afterwards", async () => {
    const { proxy, applier, clock, health, index, metrics } = start();
    applier.failure = failure("later");
    await proxy.update(index, index.apply([service("web")]));
    expect(health.list().map((c) => [c.code, c.severity, c.hint])).toEqual([
      ["SERVICES_NOT_APPLIED", "degraded", "Do something."],
    ]);
    expect(proxy.status()).toMatchObject({ failure: "Cannot do it", lastSync: undefined });
    expect(metrics.render()).toContain('selvedge_nft_apply_errors_total{code="NFT_INCOMPLETE"} 1');
    applier.failure = undefined;
    await clock.advance(seconds(1));
    expect(health.list()).toEqual([]);
    expect(proxy.status().failure).toBeUndefined();
    expect(proxy.status().lastSync).toBeNumber();
    expect(applier.calls.at(-1)).toBe("resync");
  });

  test("looks at everything after a failure, also where a change comes before its back-off is over", async () => {
    const { proxy, applier, index, foreignWrite } = start();
    await proxy.update(index, new Set());
    applier.failure = failure("later");
    foreignWrite();
    await settle();
    applier.failure = undefined;
    await proxy.update(index, index.apply([service("web")]));
    expect(applier.calls).toEqual(["apply", "resync", "apply ns/web:", "resync"]);
  });

  test("counts services, frontends and endpoints as they come and go", async () => {
    const { proxy, index, metrics } = start();
    await proxy.update(
      index,
      index.apply([
        service("web"),
        slice("web", [["10.1.0.1", "east"]]),
        service("db", { clusterIps: [ip("10.96.0.2")] }),
      ]),
    );
    expect(proxy.status()).toMatchObject({ services: 2, frontends: 2, endpoints: 1 });
    expect(metrics.render()).toContain("selvedge_services 2\n");
    await proxy.update(index, index.apply([{ kind: "Service", key: "ns/web", value: undefined }]));
    expect(proxy.status()).toMatchObject({ services: 1, frontends: 1, endpoints: 0 });
  });

  test("closes the applier with its scope, and does nothing after that", async () => {
    const { proxy, applier, scope, index } = start();
    await proxy.update(index, new Set());
    await scope.close();
    await proxy.update(index, index.apply([service("web")]));
    expect(applier.calls).toEqual(["apply", "close"]);
  });
});

describe("the mode", () => {
  test("is nftables where that works, and says why", async () => {
    const { proxy, index } = start();
    await proxy.update(index, new Set());
    expect(proxy.status()).toMatchObject({ mode: "nftables", reason: "the kernel has all that it takes" });
  });

  test("is user space where the kernel cannot, with the reason in status and health", async () => {
    const { proxy, index, health } = start({ nftables: () => Promise.reject(failure("never")) });
    await proxy.update(index, new Set());
    expect(proxy.status().mode).toBe("userspace");
    expect(proxy.status().reason).toContain("Cannot do it");
    expect(health.list().map((c) => c.code)).toEqual(["PROXY_MODE_USERSPACE"]);
  });

  test("is not user space where this process may not change the network at all", async () => {
    const forbidden = new SelvedgeError("Cannot open", { code: "EPERM", blame: "host", retry: "never" });
    const { proxy, index, health } = start({ nftables: () => Promise.reject(forbidden) });
    await proxy.update(index, new Set());
    expect(proxy.status().mode).toBeUndefined();
    expect(health.list()).toMatchObject([
      { code: "SERVICES_NOT_APPLIED", severity: "failed", hint: expect.stringContaining("CAP_NET_ADMIN") },
    ]);
  });

  test("is not given up for what may pass", async () => {
    let attempts = 0;
    const flaky: OpenApplier = () =>
      ++attempts === 1 ? Promise.reject(failure("later")) : Promise.resolve(new FakeApplier());
    const { proxy, clock, index, health } = start({ nftables: flaky });
    await proxy.update(index, new Set());
    expect(proxy.status().mode).toBeUndefined();
    expect(health.list().map((c) => [c.code, c.severity])).toEqual([["SERVICES_NOT_APPLIED", "failed"]]);
    await clock.advance(seconds(1));
    expect(proxy.status().mode).toBe("nftables");
    expect(health.list()).toEqual([]);
  });

  test("is never another than the one that was asked for", async () => {
    const { proxy, index } = start({ nftables: () => Promise.reject(failure("never")) }, "nftables");
    await proxy.update(index, new Set());
    expect(proxy.status()).toMatchObject({ mode: undefined, failure: "Cannot do it" });
  });
});
