import { describe, expect, test } from "bun:test";
import {
  type ExportedSlice,
  isExported,
  parseExportedService,
  parseExportedSlice,
} from "../../../../cloud/global-services/exported-service.ts";
import { parseFoundGlobalService } from "../../../../cloud/global-services/global-service.ts";
import { type GlobalServiceStep, planExport, planGlobalService } from "../../../../cloud/global-services/plan.ts";
import { GLOBAL_ENDPOINTS_MAX } from "../../../../src/kube/objects/global-service.ts";

const LYON = { cluster: "lyon", zone: "sud", region: "fr" };
const PARIS = { cluster: "paris", zone: "nord", region: "fr" };

/** FabEdge's sample of a GlobalService. */
const SAMPLE = {
  type: "Headless" as const,
  ports: [{ name: "http", protocol: "TCP", port: 80 }],
  endpoints: [
    {
      addresses: ["10.2.0.9"],
      hostname: "web-0",
      targetRef: { kind: "Pod", name: "web-0", namespace: "shop" },
      ...LYON,
    },
  ],
};

function service(spec: object) {
  const metadata = { namespace: "shop", name: "web" };
  const read = parseExportedService({ metadata, spec: { ports: [{ name: "http", port: 80 }], ...spec } });
  if (!read.ok) throw new Error(read.error.why);
  return read.value;
}

function slice(addressType: "IPv4" | "IPv6", endpoints: readonly object[]): ExportedSlice {
  const labels = { "kubernetes.io/service-name": "web" };
  const read = parseExportedSlice({
    metadata: { namespace: "shop", name: `web-${addressType}`, labels },
    addressType,
    endpoints,
  });
  if (!read.ok || read.value === undefined) throw new Error("no slice");
  return read.value;
}

function pod(name: string, address: string, more: object = {}): object {
  const targetRef = { kind: "Pod", name, namespace: "shop", uid: "4711" };
  return { addresses: [address], hostname: name, targetRef, conditions: { ready: true }, ...more };
}

const found = (spec: object, labels: object = {}) => {
  const read = parseFoundGlobalService({ metadata: { labels }, spec });
  if (!read.ok) throw new Error(read.error.why);
  return read.value;
};

const specOf = (step: GlobalServiceStep) => ("spec" in step ? step.spec : undefined);
const HEADLESS = { clusterIP: "None" };

describe("what is exported of a Service", () => {
  test("is its cluster IPs, as one endpoint of this cluster", () => {
    const both = service({ clusterIP: "10.96.0.9", clusterIPs: ["10.96.0.9", "fd00:96::9"] });
    expect(planExport("shop/web", both, [], LYON)).toEqual({
      spec: {
        type: "ClusterIP",
        ports: [{ name: "http", protocol: "TCP", port: 80 }],
        endpoints: [{ addresses: ["10.96.0.9", "fd00:96::9"], ...LYON }],
      },
      problem: undefined,
    });
  });

  test("is its pods where it is headless, as in FabEdge's sample", () => {
    const slices = [slice("IPv4", [pod("web-0", "10.2.0.9")])];
    expect(planExport("shop/web", service(HEADLESS), slices, LYON).spec).toEqual(SAMPLE);
  });

  test("is a pod of both families once, IPv4 first, however its slices come", () => {
    const slices = [slice("IPv6", [pod("web-0", "fd00::9")]), slice("IPv4", [pod("web-0", "10.2.0.9")])];
    for (const order of [slices, slices.toReversed()]) {
      const { spec } = planExport("shop/web", service(HEADLESS), order, LYON);
      expect(spec?.endpoints).toMatchObject([{ addresses: ["10.2.0.9", "fd00::9"] }]);
    }
  });

  test("is the same whatever the order of its pods, and not those that are not ready", () => {
    const pods = [
      pod("web-1", "10.2.0.10"),
      pod("web-0", "10.2.0.9"),
      pod("web-2", "10.2.0.11", { conditions: { ready: false } }),
    ];
    const names = [pods, pods.toReversed()].map((order) =>
      planExport("shop/web", service(HEADLESS), [slice("IPv4", order)], LYON).spec?.endpoints.map((e) => e["hostname"]),
    );
    expect(names).toEqual([
      ["web-0", "web-1"],
      ["web-0", "web-1"],
    ]);
  });

  test("are endpoints that no pod is behind, each by itself", () => {
    const slices = [slice("IPv4", [{ addresses: ["192.0.2.1"] }, { addresses: ["192.0.2.2"] }])];
    expect(planExport("shop/web", service(HEADLESS), slices, LYON).spec?.endpoints).toEqual([
      { addresses: ["192.0.2.1"], ...LYON },
      { addresses: ["192.0.2.2"], ...LYON },
    ]);
  });

  test("has the protocol of the application where the Service names it", () => {
    const ports = [{ port: 443, appProtocol: "kubernetes.io/h2c" }];
    const { spec } = planExport("shop/web", service({ clusterIP: "10.96.0.9", ports }), [], LYON);
    expect(spec?.ports).toEqual([{ protocol: "TCP", appProtocol: "kubernetes.io/h2c", port: 443 }]);
  });

  test.each([
    ["an alias", { type: "ExternalName", externalName: "web.example" }, "it is of type ExternalName"],
    ["one that has no address yet", {}, "it has no cluster IP"],
  ])("is nothing of %s, and it is said why", (_, spec, why) => {
    const { spec: exported, problem } = planExport("shop/web", service(spec), [], LYON);
    expect(exported).toBeUndefined();
    expect(problem).toMatchObject({ code: "EXPORT_REFUSED", message: expect.stringContaining(why) });
  });

  test("is cut where it would be larger than an object may be, and that is said", () => {
    const many = Array.from({ length: GLOBAL_ENDPOINTS_MAX + 5 }, (_, i) =>
      pod(`web-${i}`, `10.${i >> 8}.${i & 255}.1`),
    );
    const slices = Array.from({ length: 5 }, (_, i) => slice("IPv4", many.slice(i * 1000, (i + 1) * 1000)));
    const { spec, problem } = planExport("shop/web", service(HEADLESS), slices, LYON);
    expect(spec?.endpoints).toHaveLength(GLOBAL_ENDPOINTS_MAX);
    expect(problem).toMatchObject({ code: "EXPORT_CUT", message: expect.stringContaining("4101 and 0 of other") });
  });

  test("has only the room that other clusters leave it, and that is said", () => {
    const theirs = Array.from({ length: GLOBAL_ENDPOINTS_MAX }, (_, i) => ({ addresses: [`10.1.0.${i}`], ...PARIS }));
    const full = found({ ...SAMPLE, endpoints: theirs });
    const { spec, problem } = planExport("shop/web", service({ clusterIP: "10.96.0.9" }), [], LYON, full);
    expect(spec?.endpoints).toEqual([]);
    expect(problem).toMatchObject({ code: "EXPORT_CUT", message: expect.stringContaining("1 and 4096 of other") });
    expect(planGlobalService(LYON, spec, found({ ...SAMPLE, type: "ClusterIP", endpoints: theirs }))).toEqual({
      step: "keep",
    });
  });

  test("is asked for by FabEdge's label with the word true alone", () => {
    const labelled = (text: string) => isExported({ metadata: { labels: { "fabedge.io/global-service": text } } });
    expect(["true", "yes", ""].map(labelled)).toEqual([true, false, false]);
  });
});

describe("a GlobalService", () => {
  const ours = SAMPLE;
  const theirs = [{ addresses: ["10.1.0.9"], ...PARIS, note: "word for word" }];

  test("is made where there is none, and stays as it is when it says so already", () => {
    expect(planGlobalService(LYON, ours, undefined)).toEqual({ step: "create", spec: ours });
    expect(planGlobalService(LYON, ours, found(ours))).toEqual({ step: "keep" });
  });

  test("gets this cluster's endpoints in the place of those before, behind what other clusters have said", () => {
    const before = { ...ours, endpoints: [{ addresses: ["10.2.0.1"], ...LYON }, ...theirs] };
    expect(specOf(planGlobalService(LYON, ours, found(before)))?.endpoints).toEqual([...theirs, ...ours.endpoints]);
  });

  test("loses this cluster's endpoints and no others once the Service is no longer exported", () => {
    const before = { ...ours, endpoints: [...theirs, ...ours.endpoints] };
    const step = planGlobalService(LYON, undefined, found(before));
    expect(step).toEqual({ step: "change", spec: { ...ours, endpoints: theirs } });
    expect(planGlobalService(LYON, undefined, found({ ...ours, endpoints: theirs }))).toEqual({ step: "keep" });
  });

  test("goes with its last endpoint, unless somebody else has made it and it never had ours", () => {
    const empty = { ...ours, endpoints: [] };
    expect(planGlobalService(LYON, undefined, found(ours))).toEqual({ step: "delete" });
    expect(planGlobalService(LYON, undefined, found(empty))).toEqual({ step: "keep" });
    expect(planGlobalService(LYON, undefined, found(empty, { "fabedge.io/created-by": "fabedge-operator" }))).toEqual({
      step: "delete",
    });
    expect(planGlobalService(LYON, undefined, undefined)).toEqual({ step: "keep" });
  });
});
