import { describe, expect, test } from "bun:test";
import type { V1Service } from "@kubernetes/client-node";
import fc from "fast-check";
import { KINDS } from "../../../../../src/kube/objects/kinds.ts";
import { parseService } from "../../../../../src/kube/objects/service.ts";
import { trimObject } from "../../../../../src/kube/objects/trim.ts";
import type { Service } from "../../../../../src/network/service.ts";

/** A fixture with the API's own types; over the wire dates are text, so they are left to `json`. */
function parsed(service: V1Service): Service {
  const result = parseService(JSON.parse(JSON.stringify(service)));
  if (!result.ok) throw new Error(`${result.error.at}: ${result.error.why}`);
  return result.value;
}

const { spec: SPEC_FIELDS } = KINDS.Service.fields;
const NAMED: V1Service = { metadata: { namespace: "shop", name: "web" } };

describe("Service", () => {
  test("an empty spec has the API server's defaults", () => {
    expect(parsed(NAMED)).toEqual({
      namespace: "shop",
      name: "web",
      created: "",
      type: "ClusterIP",
      headless: false,
      clusterIps: [],
      externalName: undefined,
      externalIps: [],
      loadBalancerIps: [],
      loadBalancerSourceRanges: [],
      ports: [],
      affinitySeconds: undefined,
      internalTrafficPolicy: "Cluster",
      externalTrafficPolicy: "Cluster",
      trafficDistribution: undefined,
      healthCheckNodePort: undefined,
      publishNotReadyAddresses: false,
      foreignProxy: false,
    });
  });

  test("reads everything that there is, addresses in canonical form", () => {
    const service = parsed({
      metadata: {
        ...NAMED.metadata,
        creationTimestamp: new Date(0),
        labels: { "service.kubernetes.io/service-proxy-name": "other" },
      },
      spec: {
        type: "LoadBalancer",
        clusterIP: "10.96.0.1",
        clusterIPs: ["10.96.0.1", "FD00:0:0::1"],
        externalIPs: ["192.0.2.1"],
        loadBalancerSourceRanges: ["192.0.2.77/24 "],
        ports: [
          { name: "dns", port: 53, protocol: "UDP", nodePort: 30053 },
          { name: "x", port: 80 },
        ],
        sessionAffinity: "ClientIP",
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        internalTrafficPolicy: "Local",
        externalTrafficPolicy: "Local",
        trafficDistribution: "PreferClose",
        healthCheckNodePort: 32000,
        publishNotReadyAddresses: true,
      },
      status: {
        loadBalancer: { ingress: [{ ip: "203.0.113.9" }, { hostname: "lb" }, { ip: "203.0.113.8", ipMode: "Proxy" }] },
      },
    });
    expect(service).toEqual({
      namespace: "shop",
      name: "web",
      created: "1970-01-01T00:00:00.000Z",
      type: "LoadBalancer",
      headless: false,
      clusterIps: ["10.96.0.1", "fd00::1"],
      externalName: undefined,
      externalIps: ["192.0.2.1"],
      loadBalancerIps: ["203.0.113.9"],
      loadBalancerSourceRanges: [{ address: "192.0.2.0", length: 24 }],
      ports: [
        { name: "dns", protocol: "UDP", port: 53, nodePort: 30053 },
        { name: "x", protocol: "TCP", port: 80, nodePort: undefined },
      ],
      affinitySeconds: 60,
      internalTrafficPolicy: "Local",
      externalTrafficPolicy: "Local",
      trafficDistribution: "PreferSameZone",
      healthCheckNodePort: 32000,
      publishNotReadyAddresses: true,
      foreignProxy: true,
    } as unknown as Service);
  });

  test("a service from before dual stack has its single address", () => {
    expect(parsed({ ...NAMED, spec: { clusterIP: "10.96.0.1" } }).clusterIps as readonly string[]).toEqual([
      "10.96.0.1",
    ]);
  });

  test("a headless service has no address, and is not the same as one that has none yet", () => {
    const headless = parsed({ ...NAMED, spec: { clusterIP: "None", clusterIPs: ["None"] } });
    expect([headless.headless, headless.clusterIps]).toEqual([true, []]);
    expect(parsed({ ...NAMED, spec: { clusterIP: "" } }).headless).toBe(false);
  });

  test("affinity lasts three hours unless it is said", () => {
    expect(parsed({ ...NAMED, spec: { sessionAffinity: "ClientIP" } }).affinitySeconds).toBe(10_800);
  });

  test("a traffic distribution that nobody knows yet is none", () => {
    expect(parsed({ ...NAMED, spec: { trafficDistribution: "PreferSameRack" } }).trafficDistribution).toBeUndefined();
  });

  test.each([
    [{}, "metadata.namespace", "missing"],
    [{ metadata: { namespace: "a" } }, "metadata.name", "missing"],
    [{ metadata: { name: "a/b", namespace: "c" } }, "metadata.name", "not a name"],
    [{ ...NAMED, spec: { ports: [{ port: 80 }, { port: "http" }] } }, "spec.ports[1].port", /whole number/],
    [{ ...NAMED, spec: { ports: [{ port: 0 }] } }, "spec.ports[0].port", /whole number/],
    [{ ...NAMED, spec: { ports: {} } }, "spec.ports", "not an array"],
    [{ ...NAMED, spec: { clusterIPs: ["1.2.3"] } }, "spec.clusterIPs[0]", /not an IPv4/],
    [{ ...NAMED, spec: { type: "Magic" } }, "spec.type", /not one of/],
    [{ ...NAMED, spec: { externalIPs: Array(2000).fill("192.0.2.1") } }, "spec.externalIPs", /more than/],
    [{ ...NAMED, spec: "spec" }, "spec", "not an object"],
  ])("refuses %j at %s", (json, at, why) => {
    const result = parseService(json);
    expect(result).toMatchObject({ ok: false, error: { at } });
    if (!result.ok) expect(result.error.why).toMatch(why);
  });

  test("never throws, whatever it is given", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        parseService(json);
        parseService({ ...NAMED, spec: json, status: { loadBalancer: json } });
      }),
    );
  });

  test("reads the same from a trimmed object as from the whole", () => {
    const json = fc.record({
      metadata: fc.record({
        namespace: fc.constant("a"),
        name: fc.constant("b"),
        labels: fc.dictionary(fc.constantFrom("service.kubernetes.io/service-proxy-name", "app"), fc.string()),
        managedFields: fc.array(fc.jsonValue()),
      }),
      spec: fc.dictionary(
        fc.constantFrom(...Object.keys(SPEC_FIELDS as object), "selector"),
        fc.oneof(fc.jsonValue(), fc.constantFrom("None", "10.0.0.1", "ClusterIP", ["10.0.0.1"], [{ port: 80 }])),
      ),
      status: fc.jsonValue(),
    });
    fc.assert(
      fc.property(json, (object) => {
        const trimmed = trimObject(object, KINDS.Service.fields);
        expect(parseService(trimmed)).toEqual(parseService(object));
        expect(JSON.stringify(trimmed)).not.toContain("managedFields");
      }),
    );
  });
});
