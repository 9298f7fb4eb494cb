import { describe, expect, test } from "bun:test";
import type { V1EndpointSlice } from "@kubernetes/client-node";
import fc from "fast-check";
import { parseEndpointSlice } from "../../../../../src/kube/objects/endpoint-slice.ts";
import type { EndpointSlice } from "../../../../../src/network/endpoint.ts";

const SLICE: V1EndpointSlice = {
  metadata: { namespace: "shop", name: "web-x", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  endpoints: [],
};

function parsed(slice: V1EndpointSlice): EndpointSlice | undefined {
  const result = parseEndpointSlice(JSON.parse(JSON.stringify(slice)));
  if (!result.ok) throw new Error(`${result.error.at}: ${result.error.why}`);
  return result.value;
}

describe("EndpointSlice", () => {
  test("unknown conditions mean ready, serving and not terminating", () => {
    const [bare, failing, leaving] =
      parsed({
        ...SLICE,
        endpoints: [
          { addresses: ["10.1.0.1"] },
          { addresses: ["10.1.0.2"], conditions: { ready: false } },
          { addresses: ["10.1.0.3"], conditions: { ready: false, serving: true, terminating: true } },
        ],
      })?.endpoints ?? [];
    expect(bare).toMatchObject({ ready: true, serving: true, terminating: false });
    expect(failing).toMatchObject({ ready: false, serving: true, terminating: false });
    expect(leaving).toMatchObject({ ready: false, serving: true, terminating: true });
  });

  test("reads ports, place and hints", () => {
    const slice = parsed({
      ...SLICE,
      addressType: "IPv6",
      ports: [{ name: "http", port: 8080 }, { name: "all" }],
      endpoints: [
        {
          addresses: ["FD00::0:1"],
          hostname: "web-0",
          nodeName: "edge-1",
          zone: "z1",
          hints: { forZones: [{ name: "z1" }], forNodes: [{ name: "edge-1" }] },
        },
      ],
    });
    expect(slice).toEqual({
      namespace: "shop",
      name: "web-x",
      service: "web",
      family: 6,
      ports: [
        { name: "http", protocol: "TCP", port: 8080 },
        { name: "all", protocol: "TCP", port: undefined },
      ],
      endpoints: [
        {
          addresses: ["fd00::1"],
          ready: true,
          serving: true,
          terminating: false,
          hostname: "web-0",
          nodeName: "edge-1",
          zone: "z1",
          hintZones: ["z1"],
          hintNodes: ["edge-1"],
        },
      ],
    } as unknown as EndpointSlice);
  });

  test("a slice without a service, or of names, is valid and not for us", () => {
    expect(parsed({ ...SLICE, metadata: { namespace: "shop", name: "web-x" } })).toBeUndefined();
    expect(parsed({ ...SLICE, addressType: "FQDN" })).toBeUndefined();
  });

  test.each([
    [{ ...SLICE, addressType: undefined }, "addressType"],
    [{ ...SLICE, endpoints: [{ addresses: ["fd00::1"] }] }, "endpoints[0].addresses[0]"],
    [{ ...SLICE, endpoints: [{ addresses: ["x"] }] }, "endpoints[0].addresses[0]"],
    [{ ...SLICE, endpoints: [{ addresses: [], conditions: { ready: "yes" } }] }, "endpoints[0].conditions.ready"],
    [{ ...SLICE, ports: [{ port: 70_000 }] }, "ports[0].port"],
    [{ ...SLICE, endpoints: Array(1001).fill({ addresses: [] }) }, "endpoints"],
  ])("refuses %#", (json, at) => {
    expect(parseEndpointSlice(json)).toMatchObject({ ok: false, error: { at } });
  });

  test("never throws, whatever it is given", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        parseEndpointSlice(json);
        parseEndpointSlice({ ...SLICE, endpoints: json, ports: json });
        parseEndpointSlice({ ...SLICE, endpoints: [json] });
      }),
    );
  });
});
