import { describe, expect, test } from "bun:test";
import type { V1Endpoints } from "@kubernetes/client-node";
import fc from "fast-check";
import { parseEndpoints } from "../../../../../src/kube/objects/endpoints.ts";

describe("Endpoints", () => {
  test("becomes a slice for each subset and family, with what is not ready", () => {
    const endpoints: V1Endpoints = {
      metadata: { namespace: "shop", name: "web" },
      subsets: [
        {
          addresses: [{ ip: "10.1.0.1", hostname: "web-0", nodeName: "edge-1" }, { ip: "fd00::1" }],
          notReadyAddresses: [{ ip: "10.1.0.2" }],
          ports: [{ name: "http", port: 80 }],
        },
        { addresses: [{ ip: "10.1.0.3" }], ports: [{ port: 53, protocol: "UDP" }] },
      ],
    };
    const result = parseEndpoints(endpoints);
    if (!result.ok) throw new Error(result.error.why);
    const seen = result.value.map((slice) => [
      slice.name,
      slice.service,
      slice.family,
      slice.ports.map((p) => `${p.name}:${p.protocol}:${p.port}`),
      slice.endpoints.map((e) => `${e.addresses.join()} ${e.ready ? "ready" : "not ready"}`),
    ]);
    expect(seen).toEqual([
      ["web-0-ipv4", "web", 4, ["http:TCP:80"], ["10.1.0.1 ready", "10.1.0.2 not ready"]],
      ["web-0-ipv6", "web", 6, ["http:TCP:80"], ["fd00::1 ready"]],
      ["web-1-ipv4", "web", 4, [":UDP:53"], ["10.1.0.3 ready"]],
    ]);
    expect(result.value[0]?.endpoints[0]).toMatchObject({ hostname: "web-0", nodeName: "edge-1" });
  });

  test("without subsets there are no slices", () => {
    expect(parseEndpoints({ metadata: { namespace: "a", name: "b" } })).toEqual({ ok: true, value: [] });
  });

  test("names the address that is wrong", () => {
    const json = { metadata: { namespace: "a", name: "b" }, subsets: [{ addresses: [{ ip: "10.1.0.256" }] }] };
    expect(parseEndpoints(json)).toMatchObject({ ok: false, error: { at: "subsets[0].addresses[0].ip" } });
  });

  test("never throws, whatever it is given", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        parseEndpoints({ metadata: { namespace: "a", name: "b" }, subsets: json });
        parseEndpoints({ metadata: { namespace: "a", name: "b" }, subsets: [{ addresses: json }] });
      }),
    );
  });
});
