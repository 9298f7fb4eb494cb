import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BACKENDS_PER_FRONTEND_LIMIT, planFrontends } from "../../../../edge/service/plan.ts";
import type { Endpoint, EndpointSlice } from "../../../../src/network/endpoint.ts";
import type { Service } from "../../../../src/network/service.ts";
import type { ServiceView } from "../../../../src/network/service-index.ts";
import { ip, makeEndpoint, makeService } from "../../../support/network-objects.ts";

const NODE = { name: "here", zone: "east", addresses: [ip("192.168.1.11"), ip("2001:db8::11")] };
type EndpointSpec = readonly [address: string, over?: Partial<Endpoint>];

function slice(list: readonly EndpointSpec[], over: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    namespace: "ns",
    name: "web-1",
    service: "web",
    family: 4,
    ports: [{ name: "http", protocol: "TCP", port: 8080 }],
    endpoints: list.map(([address, rest]) => makeEndpoint(address, rest)),
    ...over,
  };
}

function view(over: Partial<Service>, ...slices: readonly EndpointSlice[]): ServiceView {
  return { key: "ns/web", service: makeService("ns/web", { clusterIps: [ip("10.96.0.1")], ...over }), slices };
}

/** The backends of the only frontend. */
function backends(over: Partial<Service>, ...list: readonly EndpointSpec[]): readonly string[] {
  const frontends = planFrontends(view(over, slice(list)), NODE);
  expect(frontends).toHaveLength(1);
  return frontends[0]?.backends.map((b) => b.address) ?? [];
}

const NOT_READY = { ready: false, serving: false };
const LEAVING = { ready: false, serving: true, terminating: true };
const HERE = { nodeName: "here" };
const THERE = { nodeName: "there" };

describe("the frontends of a service", () => {
  const none: readonly (readonly [string, Partial<Service>])[] = [
    ["headless", { headless: true, clusterIps: [] }],
    ["an ExternalName", { type: "ExternalName", clusterIps: [], externalName: "example.org" }],
    ["another proxy's", { foreignProxy: true }],
  ];
  test.each(none)("are none when it is %s", (_, over) => {
    expect(planFrontends(view({ externalIps: [ip("203.0.113.1")], ...over }, slice([["10.1.0.1"]])), NODE)).toEqual([]);
  });

  test("are one for each kind of address, family and port", () => {
    const frontends = planFrontends(
      view({
        type: "LoadBalancer",
        clusterIps: [ip("10.96.0.1"), ip("fd10::1")],
        externalIps: [ip("203.0.113.1")],
        loadBalancerIps: [ip("203.0.113.2"), ip("203.0.113.1")],
        loadBalancerSourceRanges: [{ address: ip("10.0.0.0"), length: 8 }],
        ports: [{ name: "http", protocol: "TCP", port: 80, nodePort: 30080 }],
      }),
      NODE,
    );
    const seen = frontends.map((f) => `${f.kind} ${f.family} ${f.address ?? "*"}:${f.port} ${f.sourceRanges.length}`);
    expect(seen).toEqual([
      "cluster-ip 4 10.96.0.1:80 0",
      "external 4 203.0.113.2:80 1",
      "external 4 203.0.113.1:80 1",
      "node-port 4 *:30080 0",
      "cluster-ip 6 fd10::1:80 0",
      "node-port 6 *:30080 0",
    ]);
  });

  test("are of the service's own families, whichever its outside addresses have", () => {
    const outside = {
      externalIps: [ip("203.0.113.1"), ip("fd11::1")],
      loadBalancerIps: [ip("203.0.113.2"), ip("fd11::2")],
    };
    const addresses = (...clusterIps: readonly string[]) => {
      const frontends = planFrontends(view({ type: "LoadBalancer", clusterIps: clusterIps.map(ip), ...outside }), NODE);
      return frontends.map((f) => f.address);
    };
    expect(addresses("10.96.0.1")).toEqual([ip("10.96.0.1"), ip("203.0.113.2"), ip("203.0.113.1")]);
    expect(addresses("fd10::1")).toEqual([ip("fd10::1"), ip("fd11::2"), ip("fd11::1")]);
    expect(addresses("10.96.0.1", "fd10::1")).toHaveLength(6);
    // Written by hand, for a hub: no address of the cluster's says which family it has.
    expect(addresses()).toHaveLength(4);
  });

  test("restrict callers of a load balancer's address, also where it is an external one", () => {
    const address = ip("203.0.113.1");
    const loadBalancerSourceRanges = [{ address: ip("10.0.0.0"), length: 8 }];
    const over = { clusterIps: [], externalIps: [address], loadBalancerIps: [address], loadBalancerSourceRanges };
    const ranges = (type: Service["type"]) => planFrontends(view({ ...over, type }), NODE).map((f) => f.sourceRanges);
    expect(ranges("LoadBalancer")).toEqual([loadBalancerSourceRanges]);
    // Of a service that is none any more, what its status still says is nothing.
    expect(ranges("ClusterIP")).toEqual([[]]);
  });

  test("restrict callers of a family only when the source ranges name some of it, and not all", () => {
    const ranges = (...list: readonly (readonly [string, number])[]) =>
      planFrontends(
        view({
          type: "LoadBalancer",
          clusterIps: [],
          loadBalancerIps: [ip("203.0.113.2"), ip("fd11::2")],
          loadBalancerSourceRanges: list.map(([address, length]) => ({ address: ip(address), length })),
        }),
        NODE,
      ).map((f) => `${f.family} ${f.sourceRanges.map((range) => `${range.address}/${range.length}`)}`);
    expect(ranges()).toEqual(["4 ", "6 "]);
    expect(ranges(["10.0.0.0", 8])).toEqual(["4 10.0.0.0/8", "6 "]);
    expect(ranges(["10.0.0.0", 8], ["fd00::", 8])).toEqual(["4 10.0.0.0/8", "6 fd00::/8"]);
    expect(ranges(["10.0.0.0", 8], ["0.0.0.0", 0], ["fd00::", 8])).toEqual(["4 ", "6 fd00::/8"]);
  });

  test("let the node's own calls in from a load balancer's address where its source ranges have the node", () => {
    const ranges = (address: string, length: number) =>
      planFrontends(
        view({
          type: "LoadBalancer",
          clusterIps: [],
          loadBalancerIps: [ip("203.0.113.2"), ip("fd11::2")],
          loadBalancerSourceRanges: [{ address: ip(address), length }],
        }),
        NODE,
      ).map((f) => f.sourceRanges.map((range) => `${range.address}/${range.length}`).join());
    expect(ranges("192.168.0.0", 16)).toEqual(["192.168.0.0/16,203.0.113.2/32", ""]);
    expect(ranges("192.168.2.0", 24)).toEqual(["192.168.2.0/24", ""]);
    expect(ranges("2001:db8::", 64)).toEqual(["", "2001:db8::/64,fd11::2/128"]);
  });

  test("are the first of each address, protocol and port when a manifest has them twice", () => {
    const port = { name: "http", protocol: "TCP" as const, port: 80, nodePort: 30080 };
    const twice = view(
      { type: "NodePort", clusterIps: [ip("10.96.0.1"), ip("10.96.0.1")], ports: [port, { ...port, name: "again" }] },
      slice([["10.1.0.1"]]),
    );
    const frontends = planFrontends(twice, NODE);
    expect(frontends.map((f) => `${f.kind} ${f.portName}`)).toEqual(["cluster-ip http", "node-port http"]);
    expect(frontends[0]?.backends).toHaveLength(1);
  });

  test("have no node ports when the type is ClusterIP, nor load-balancer addresses when it is NodePort", () => {
    const ports = [{ name: "http", protocol: "TCP" as const, port: 80, nodePort: 30080 }];
    const kinds = (type: Service["type"]) =>
      planFrontends(view({ type, ports, loadBalancerIps: [ip("203.0.113.2")] }), NODE).map((f) => f.kind);
    expect(kinds("ClusterIP")).toEqual(["cluster-ip"]);
    expect(kinds("NodePort")).toEqual(["cluster-ip", "node-port"]);
  });

  test("match endpoint ports by name and protocol, and leave out ports without a number", () => {
    const ports = [
      { name: "a", protocol: "TCP" as const, port: 1, nodePort: undefined },
      { name: "b", protocol: "UDP" as const, port: 2, nodePort: undefined },
      { name: "c", protocol: "TCP" as const, port: 3, nodePort: undefined },
    ];
    const offered = [
      { name: "a", protocol: "TCP" as const, port: 11 },
      { name: "b", protocol: "TCP" as const, port: 12 },
      { name: "c", protocol: "TCP" as const, port: undefined },
    ];
    const frontends = planFrontends(view({ ports }, slice([["10.1.0.1"]], { ports: offered })), NODE);
    expect(frontends.map((f) => f.backends.map((b) => b.port))).toEqual([[11], [], []]);
  });

  test("take IPv6 endpoints for IPv6 addresses alone", () => {
    const frontends = planFrontends(
      view(
        { clusterIps: [ip("10.96.0.1"), ip("fd10::1")] },
        slice([["10.1.0.1"]]),
        slice([["fd00::1"]], { name: "web-2", family: 6 }),
      ),
      NODE,
    );
    expect(frontends.map((f) => f.backends.map((b) => b.address))).toEqual([[ip("10.1.0.1")], [ip("fd00::1")]]);
  });

  test("count an endpoint of several slices once, by the better of its states", () => {
    const frontends = planFrontends(
      view({}, slice([["10.1.0.1", NOT_READY]]), slice([["10.1.0.1"], ["10.1.0.2"]], { name: "web-2" })),
      NODE,
    );
    expect(frontends[0]?.backends.map((b) => b.address)).toEqual([ip("10.1.0.1"), ip("10.1.0.2")]);
  });

  test("know endpoints of this node, and of unknown nodes, as local", () => {
    const frontends = planFrontends(view({}, slice([["10.1.0.1", HERE], ["10.1.0.2", THERE], ["10.1.0.3"]])), NODE);
    expect(frontends[0]?.backends.map((b) => b.local)).toEqual([true, false, true]);
  });

  test("know of UDP who serves, wherever new callers go, and of TCP nobody, whose connections end by themselves", () => {
    const serving = (protocol: "TCP" | "UDP") => {
      const list: readonly EndpointSpec[] = [
        ["10.1.0.1", { hintZones: ["east"] }],
        ["10.1.0.2", { hintZones: ["west"] }],
        ["10.1.0.3", LEAVING],
        ["10.1.0.4", NOT_READY],
      ];
      const port = { name: "http", protocol, port: 53, nodePort: undefined };
      const offered = { ports: [{ name: "http", protocol, port: 8053 }] };
      const [frontend] = planFrontends(view({ ports: [port] }, slice(list, offered)), NODE);
      expect(frontend?.backends.map((b) => b.address)).toEqual([ip("10.1.0.1")]);
      return frontend?.serving.map((b) => b.address);
    };
    expect(serving("UDP")).toEqual([ip("10.1.0.1"), ip("10.1.0.2"), ip("10.1.0.3")]);
    expect(serving("TCP")).toEqual([]);
  });

  test("end at the limit of endpoints", () => {
    const many = Array.from(
      { length: BACKENDS_PER_FRONTEND_LIMIT + 5 },
      (_, i) => [`10.1.${i >> 8}.${i & 255}`] as const,
    );
    expect(backends({}, ...many)).toHaveLength(BACKENDS_PER_FRONTEND_LIMIT);
  });
});

// kube-proxy's CategorizeEndpoints, case by case.
describe("the endpoints under policy Cluster", () => {
  const cases: readonly (readonly [string, Partial<Service>, readonly EndpointSpec[], readonly string[]])[] = [
    ["are the ready ones", {}, [["10.1.0.1"], ["10.1.0.2", NOT_READY]], ["10.1.0.1"]],
    ["are ready ones even while others still serve", {}, [["10.1.0.1", LEAVING], ["10.1.0.2"]], ["10.1.0.2"]],
    [
      "are serving ones that terminate when none is ready",
      {},
      [
        ["10.1.0.1", LEAVING],
        ["10.1.0.2", NOT_READY],
      ],
      ["10.1.0.1"],
    ],
    ["are never terminating ones that no longer serve", {}, [["10.1.0.1", { ...LEAVING, serving: false }]], []],
    [
      "are unready ones too when the service publishes them",
      { publishNotReadyAddresses: true },
      [["10.1.0.1", NOT_READY]],
      ["10.1.0.1"],
    ],
    [
      "are those hinted for the zone when all have hints",
      {},
      [
        ["10.1.0.1", { hintZones: ["east"] }],
        ["10.1.0.2", { hintZones: ["west"] }],
      ],
      ["10.1.0.1"],
    ],
    [
      "are all when one ready endpoint has no hint",
      {},
      [["10.1.0.1", { hintZones: ["east"] }], ["10.1.0.2"]],
      ["10.1.0.1", "10.1.0.2"],
    ],
    [
      "are hinted ones whatever hints unready endpoints lack",
      {},
      [
        ["10.1.0.1", { hintZones: ["east"] }],
        ["10.1.0.2", NOT_READY],
        ["10.1.0.3", { hintZones: ["west"] }],
      ],
      ["10.1.0.1"],
    ],
    [
      "are all when no hint is for the zone",
      {},
      [
        ["10.1.0.1", { hintZones: ["west"] }],
        ["10.1.0.2", { hintZones: ["west"] }],
      ],
      ["10.1.0.1", "10.1.0.2"],
    ],
    [
      "are those hinted for the node before those for the zone",
      {},
      [
        ["10.1.0.1", { hintZones: ["east"], hintNodes: ["here"] }],
        ["10.1.0.2", { hintZones: ["east"], hintNodes: ["there"] }],
      ],
      ["10.1.0.1"],
    ],
    [
      "are those hinted for the zone when none is for the node",
      {},
      [
        ["10.1.0.1", { hintZones: ["east"], hintNodes: ["there"] }],
        ["10.1.0.2", { hintZones: ["west"], hintNodes: ["there"] }],
      ],
      ["10.1.0.1"],
    ],
    [
      "are those of the zone by trafficDistribution where there are no hints",
      { trafficDistribution: "PreferSameZone" },
      [
        ["10.1.0.1", { zone: "east" }],
        ["10.1.0.2", { zone: "west" }],
      ],
      ["10.1.0.1"],
    ],
    [
      "are those of the node by trafficDistribution, else of the zone, else all",
      { trafficDistribution: "PreferSameNode" },
      [
        ["10.1.0.1", { zone: "east", ...THERE }],
        ["10.1.0.2", { zone: "east", ...HERE }],
      ],
      ["10.1.0.2"],
    ],
    [
      "are all when trafficDistribution finds nothing near",
      { trafficDistribution: "PreferSameNode" },
      [
        ["10.1.0.1", { zone: "west", ...THERE }],
        ["10.1.0.2", { zone: "west" }],
      ],
      ["10.1.0.1", "10.1.0.2"],
    ],
  ];
  test.each(cases)("%s", (_, over, list, expected) => {
    expect(backends(over, ...list)).toEqual(expected.map((address) => ip(address)));
  });
});

describe("the endpoints under policy Local", () => {
  test("are this node's ready ones, whatever the hints", () => {
    const list: readonly EndpointSpec[] = [
      ["10.1.0.1", { ...HERE, hintZones: ["west"] }],
      ["10.1.0.2", { ...THERE, hintZones: ["east"] }],
    ];
    expect(backends({ internalTrafficPolicy: "Local" }, ...list)).toEqual([ip("10.1.0.1")]);
  });

  test("are this node's serving ones when none of its own is ready, though others are elsewhere", () => {
    const list: readonly EndpointSpec[] = [
      ["10.1.0.1", { ...HERE, ...LEAVING }],
      ["10.1.0.2", THERE],
    ];
    expect(backends({ internalTrafficPolicy: "Local" }, ...list)).toEqual([ip("10.1.0.1")]);
  });

  test("are not those of an unknown node", () => {
    expect(backends({ internalTrafficPolicy: "Local" }, ["10.1.0.1"])).toEqual([]);
  });

  test("are what callers from outside get, and everybody inside gets the cluster's", () => {
    const frontends = planFrontends(
      view(
        {
          type: "NodePort",
          externalTrafficPolicy: "Local",
          ports: [{ name: "http", protocol: "TCP", port: 80, nodePort: 30080 }],
        },
        slice([
          ["10.1.0.1", HERE],
          ["10.1.0.2", THERE],
        ]),
      ),
      NODE,
    );
    const seen = frontends.map((f) => [f.kind, f.backends.length, f.externalBackends?.map((b) => b.address)]);
    expect(seen).toEqual([
      ["cluster-ip", 2, undefined],
      ["node-port", 2, [ip("10.1.0.1")]],
    ]);
  });
});

test("a plan does not depend on the order of slices, endpoints and ports", () => {
  const endpoint = fc.record({
    address: fc.integer({ min: 1, max: 6 }).map((n) => `10.1.0.${n}`),
    ready: fc.boolean(),
    serving: fc.boolean(),
    terminating: fc.boolean(),
    nodeName: fc.constantFrom("here", "there", undefined),
    hintZones: fc.subarray(["east", "west"]),
  });
  const slices = fc.array(fc.array(endpoint, { maxLength: 5 }), { maxLength: 4 });
  fc.assert(
    fc.property(slices, fc.infiniteStream(fc.nat()), fc.constantFrom("Cluster", "Local"), (lists, random, policy) => {
      const shuffle = <T>(items: readonly T[]): T[] =>
        items
          .map((item) => [random.next().value ?? 0, item] as const)
          .sort((a, b) => a[0] - b[0])
          .map(([, item]) => item);
      const built = lists.map((list, i) =>
        slice(
          list.map(({ address, ...over }) => [address, over] as const),
          { name: `web-${i}` },
        ),
      );
      const over = { externalIps: [ip("203.0.113.1")], externalTrafficPolicy: policy } as const;
      const shuffled = shuffle(built).map((s) => ({ ...s, endpoints: shuffle(s.endpoints) }));
      expect(planFrontends(view(over, ...shuffled), NODE)).toEqual(planFrontends(view(over, ...built), NODE));
    }),
  );
});
